#!/usr/bin/env python3
"""OpenVINO: f32, bf16, and int8 as nncf quantises it after a calibration (transformer settings, SmoothQuant), rest f32 or bf16.

The precision hint is set and read back, and so are the kernels of the matrix products. Forms: static or dynamic shapes, and for
batches also one stream a thread, each with its share of the batch.
"""
import collections

import shared

job = shared.arguments(__doc__, ["f32", "bf16", "int8"])
import numpy as np  # noqa: E402
import openvino  # noqa: E402

core = openvino.Core()
compiled = {}  # of the last form that was prepared


def quantized(plain, masked):
    target = plain.with_name(plain.name + ".nncf.xml")
    if not target.exists():
        import nncf

        items, _ = shared.load_inputs(job.calibration)
        rows = [[item[None], np.ones_like(item)[None]][: 1 + masked] for item in items]
        model = nncf.quantize(core.read_model(f"{plain}.onnx"), nncf.Dataset(rows), model_type=nncf.ModelType.TRANSFORMER,
                              subset_size=len(rows))
        openvino.save_model(model, target, compress_to_fp16=False)
    return target


def compile_model(key, masked, hint, streams, shape):
    if (key, masked, shape) not in compiled:
        for other in [k for k in compiled if k[0] != key]:
            del compiled[other]
        plain = shared.onnx_model(job, masked)
        model = core.read_model(quantized(plain, masked) if job.precision == "int8" else f"{plain}.onnx")
        if shape:
            model.reshape({i.any_name: list(shape) for i in model.inputs})
        compiled[key, masked, shape] = core.compile_model(model, "CPU", {
            "INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": job.threads, "CACHE_DIR": str(job.cache / "openvino")})
    return compiled[key, masked, shape]


def form(hint, static, streams):
    def prepare(arrays):
        parts = list(zip(*(np.array_split(a, min(streams, len(a))) for a in arrays)))
        if streams > 1 and len(parts) < 2:
            raise NotImplementedError
        requests = []
        for part in parts:
            shape = part[0].shape if static else None
            requests.append(compile_model((hint, static, streams), len(arrays) > 1, hint, streams, shape).create_infer_request())
            for i, array in enumerate(part):
                requests[-1].set_input_tensor(i, openvino.Tensor(np.ascontiguousarray(array)))

        def encode():
            if len(requests) == 1:
                requests[0].infer()
                return requests[0].get_output_tensor().data
            for request in requests:
                request.start_async()
            for request in requests:
                request.wait()
            return np.concatenate([request.get_output_tensor().data for request in requests])

        return encode

    return prepare


def read_back():
    """The hint that the plugin took, and in what precision and with which kernels its matrix products run."""
    model = list(compiled.values())[-1]
    kernels = collections.Counter()
    for op in model.get_runtime_model().get_ops():
        info = op.get_rt_info()
        if info["layerType"].astype(str) in ("FullyConnected", "MatMul", "Convolution", "Subgraph"):
            kernels[f"{info['layerType'].astype(str)} {info['runtimePrecision'].astype(str)} {info['primitiveType'].astype(str)}"] += 1
    hint = model.get_property("INFERENCE_PRECISION_HINT").to_string()
    return f"{hint}: " + ", ".join(f"{n} {kernel}" for kernel, n in kernels.most_common())


forms = {}
for hint in ("f32", "bf16") if job.precision == "int8" else (job.precision,):
    for static in (True, False):
        for streams in (1, job.threads) if job.threads > 1 else (1,):
            label = ", ".join(filter(None, (f"rest {hint}" if job.precision == "int8" else "", "static" if static else "dynamic shapes",
                                            f"{streams} streams" if streams > 1 else "")))
            forms[label] = form(hint, static, streams)
shared.run(job, "openvino", openvino.__version__.split("-")[0], forms, read_back, sizes=(4, 16))
