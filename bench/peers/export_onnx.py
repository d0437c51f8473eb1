#!/usr/bin/env python3
"""Exports a tower for ONNX Runtime and OpenVINO: export_onnx.py MODEL FOLDER image|text|text-mask

Writes FOLDER/NAME.onnx with a dynamic batch and length, NAME.fused.onnx (ONNX Runtime's optimizer for transformers) and of each
an int8 version (dynamic scales of activations, weights a scale a channel): .int8.onnx and .fused.int8.onnx.
"""
import pathlib
import sys

import torch
import torch_model
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer

directory, folder, name = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
model = torch_model.load(directory, name.split("-")[0])
plain, fused = folder / f"{name}.onnx", folder / f"{name}.fused.onnx"
if name == "image":
    side = model.vision.config.image_size
    inputs, names = (torch.zeros(2, 3, side, side),), ["pixels"]
else:
    inputs, names = (torch.ones(2, 8, dtype=torch.long),) * (2 if name == "text-mask" else 1), ["ids", "mask"]
axes = {"pixels": {0: "batch"}, "ids": {0: "batch", 1: "tokens"}, "mask": {0: "batch", 1: "tokens"}, "embeddings": {0: "batch"}}
names = names[: len(inputs)]
with torch.no_grad():
    torch.onnx.export(model, inputs, plain, input_names=names, output_names=["embeddings"], opset_version=17, dynamo=False,
                      dynamic_axes={n: axes[n] for n in [*names, "embeddings"]})
config = model.vision.config if name == "image" else model.text.config
graph = optimizer.optimize_model(str(plain), model_type="clip" if name == "image" else "bert", num_heads=config.num_attention_heads,
                                 hidden_size=config.hidden_size, opt_level=0 if name == "image" else 1, use_gpu=False)
print("fused:", {k: n for k, n in graph.get_fused_operator_statistics().items() if n})
graph.save_model_to_file(str(fused))
for path in (plain, fused):
    quantize_dynamic(path, path.with_suffix(".int8.onnx"), weight_type=QuantType.QInt8, per_channel=True,
                     op_types_to_quantize=["MatMul", "Gemm", "Attention"], extra_options={"DefaultTensorType": 1})
(folder / f"{name}.exported").touch()
