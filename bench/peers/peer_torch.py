#!/usr/bin/env python3
"""torch with fused attention: eager, compiled by Inductor (frozen weights, or max-autotune with CUDA graphs), compiled by zentorch.

bf16: the weights are cast, so that every product runs in bf16. On a GPU an encode call is what it is for tuwen: inputs in the
host's memory (pinned), embeddings in the host's memory; `resident_ms` is the time without these two copies. The network is
transformers' classes, or the same in plain modules (plain_model.py). Further inputs of the same tower are measured one by one.
"""
import os
import time

import shared


def add_options(parser):
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--network", choices=["transformers", "plain"], default="transformers")
    parser.add_argument("--also", nargs="+", default=[], metavar="INPUTS", help="stems of further inputs")


job = shared.arguments(__doc__, ["f32", "bf16"], ["eager", "compile", "max-autotune", "zentorch"], add_options)
if job.mode in ("compile", "zentorch"):
    os.environ["TORCHINDUCTOR_FREEZING"] = "1"  # packs the weights
if job.mode != "eager":
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(job.cache / f"inductor-{job.mode}")
import torch  # noqa: E402

if job.network == "plain":
    import plain_model as network  # noqa: E402
else:
    import torch_model as network  # noqa: E402

    network.use_sdpa()

version = torch.__version__
if job.mode == "zentorch":
    import zentorch

    version = f"{zentorch.__version__} on torch {version}"
torch.set_num_threads(job.threads)
torch.set_grad_enabled(False)
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[job.precision]
model = network.load(job.model, job.tower, dtype).to(job.device)
call = model
if job.mode != "eager":
    torch._dynamo.config.cache_size_limit = 64
    how = {"mode": "max-autotune"} if job.mode == "max-autotune" else {"backend": "zentorch" if job.mode == "zentorch" else "inductor"}
    call = torch.compile(model, dynamic=False, **how)


def prepare(arrays):
    tensors = [torch.from_numpy(a) for a in arrays]
    tensors = [t.to(dtype) if t.is_floating_point() else t for t in tensors]
    if job.device == "cuda":
        tensors = [t.pin_memory() for t in tensors]

    def encode():
        with torch.inference_mode():
            return call(*(t.to(job.device, non_blocking=True) for t in tensors)).float().cpu().numpy()

    return encode


def read_back():
    return f"weights {'+'.join(sorted({str(p.dtype).removeprefix('torch.') for p in model.parameters()}))}, {job.network}"


def resident_ms():
    """The median of calls on inputs that lie on the GPU; None where batches are cut."""
    if len({item.shape for item in job.items}) > 1:
        return None
    (_, arrays), = shared.batches(job, len(job.items))
    inputs = [torch.from_numpy(a).to(job.device) for a in arrays]
    inputs = [t.to(dtype) if t.is_floating_point() else t for t in inputs]
    samples, start = [], time.perf_counter()
    with torch.inference_mode():
        while len(samples) < job.runs or time.perf_counter() - start < job.seconds:
            torch.cuda.synchronize()
            begin = time.perf_counter()
            call(*inputs)
            torch.cuda.synchronize()
            samples.append((time.perf_counter() - begin) * 1e3)
    return sorted(samples)[len(samples) // 2]


def on_gpu():
    """What a record of a GPU has beside the others, measured when it is."""
    return {"device": f"cuda {torch.cuda.get_device_name()}", "resident_ms": resident_ms(),
            "gpu_memory_mb": torch.cuda.max_memory_allocated() / 1e6}


# Every shape is compiled anew, which takes half a minute: fewer sizes are tried.
sizes = (None, 4, 8, 16, 32) if job.mode == "eager" else (16,)
engine = "zentorch" if job.mode == "zentorch" else f"torch {job.mode}"
for stem in (job.inputs, *job.also):
    shared.choose_inputs(job, stem)
    shared.run(job, engine, version, {"": prepare}, read_back, sizes, on_gpu if job.device == "cuda" else dict)
