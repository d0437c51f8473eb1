#!/usr/bin/env python3
"""transformers on torch with fused attention: eager, compiled by Inductor with frozen weights, compiled by zentorch.

bf16: the weights are cast, so that every product runs in bf16.
"""
import os

import shared

job = shared.arguments(__doc__, ["f32", "bf16"], ["eager", "compile", "zentorch"])
if job.mode != "eager":
    os.environ["TORCHINDUCTOR_FREEZING"] = "1"  # packs the weights
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(job.cache / f"inductor-{job.mode}")
import torch  # noqa: E402
import torch_model  # noqa: E402

version = torch.__version__
if job.mode == "zentorch":
    import zentorch

    version = f"{zentorch.__version__} on torch {version}"
torch.set_num_threads(job.threads)
torch.set_grad_enabled(False)
dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[job.precision]
torch_model.use_sdpa()
model = torch_model.load(job.model, job.tower, dtype)
call = model
if job.mode != "eager":
    torch._dynamo.config.cache_size_limit = 64
    call = torch.compile(model, dynamic=False, backend="zentorch" if job.mode == "zentorch" else "inductor")


def prepare(arrays):
    tensors = [torch.from_numpy(a) for a in arrays]
    tensors = [t.to(dtype) if t.is_floating_point() else t for t in tensors]

    def encode():
        with torch.inference_mode():
            return call(*tensors).float().numpy()

    return encode


def read_back():
    return "weights " + "+".join(sorted({str(p.dtype).removeprefix("torch.") for p in model.parameters()}))


# Every shape is compiled anew, which takes half a minute: fewer sizes are tried.
sizes = (None, 4, 8, 16, 32) if job.mode == "eager" else (16,)
engine = "zentorch" if job.mode == "zentorch" else f"torch {job.mode}"
shared.run(job, engine, version, {"": prepare}, read_back, sizes)
