#!/usr/bin/env python3
"""ONNX Runtime: f32, and int8 with dynamic scales; the exported graph or the one with fused attention and norms."""
import shared

job = shared.arguments(__doc__, ["f32", "int8"])
import onnx  # noqa: E402
import onnxruntime  # noqa: E402

options = onnxruntime.SessionOptions()
options.intra_op_num_threads, options.inter_op_num_threads = job.threads, 1
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
sessions = {}  # of the last form that was prepared: memory for one model at a time


def form(suffix):
    def prepare(arrays):
        path = f"{shared.onnx_model(job, len(arrays) > 1)}{suffix}"
        if path not in sessions:
            for other in [p for p in sessions if not p.endswith(suffix)]:
                del sessions[other]
            sessions[path] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        session = sessions[path]
        feed = dict(zip([i.name for i in session.get_inputs()], arrays))
        return lambda: session.run(None, feed)[0]

    return prepare


def read_back():
    if job.precision == "f32":
        return "f32"
    path, = list(sessions)[-1:]
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    integer = sum(kind in ("MatMulInteger", "QAttention", "DynamicQuantizeMatMul") for kind in kinds)
    return f"{integer} integer products, {sum(kind in ('MatMul', 'Gemm', 'Attention') for kind in kinds)} in f32"


end = ".int8.onnx" if job.precision == "int8" else ".onnx"
shared.run(job, "onnxruntime", onnxruntime.__version__, {"plain graph": form(end), "fused graph": form(".fused" + end)}, read_back)
