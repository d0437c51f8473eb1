#!/usr/bin/env python3
"""Writes what transformers gives for the inputs in f32, every item alone: what the cosines of all engines are taken to."""
import shared

job = shared.arguments(__doc__, ["f32"])
import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch_model  # noqa: E402

target = shared.reference_file(job)
if not target.exists():
    model = torch_model.load(job.model, job.tower)
    with torch.inference_mode():
        rows = [model(torch.from_numpy(item[None])).numpy()[0] for item in job.items]
    np.save(target, np.stack(rows))
print(target)
