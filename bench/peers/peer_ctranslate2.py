#!/usr/bin/env python3
"""CTranslate2, text tower: its encoder takes texts of different lengths as they are. The projection is applied by numpy."""
import shutil

import shared

job = shared.arguments(__doc__, ["f32", "bf16", "int8"])
import ctranslate2  # noqa: E402
import numpy as np  # noqa: E402

if job.tower != "text":
    raise SystemExit("CTranslate2 has no vision encoder of this kind")
folder, projection_file = job.cache / "ctranslate2", job.cache / "text_projection.npy"


def convert():
    """The converter knows BertModel, whose names and computation the text tower has."""
    import torch_model
    from ctranslate2.converters import TransformersConverter
    from transformers import BertConfig, BertModel

    model = torch_model.load(job.model, "text")
    bert = BertModel(BertConfig(**job.config["text_config"]))
    wrong = bert.load_state_dict(model.text.state_dict(), strict=False)  # without the pooler, which is not used
    assert all(k.startswith("pooler") for k in wrong.missing_keys) and not wrong.unexpected_keys, wrong
    source = job.cache / "bert"
    bert.save_pretrained(source)
    shutil.copy(job.model / "vocab.txt", source)
    load = BertModel.from_pretrained.__func__  # of transformers 4.37, which does not know the converter's argument dtype
    BertModel.from_pretrained = classmethod(lambda cls, *a, dtype=None, **kw: load(cls, *a, **kw))
    TransformersConverter(str(source)).convert(str(folder), force=True)
    shutil.rmtree(source)
    np.save(projection_file, model.projection.weight.detach().numpy().T)


if not projection_file.exists():
    convert()
projection = np.load(projection_file)
compute = {"f32": "float32", "bf16": "bfloat16", "int8": "int8_float32"}[job.precision]
encoder = ctranslate2.Encoder(str(folder), device="cpu", compute_type=compute, inter_threads=1, intra_threads=job.threads)


def prepare(arrays):
    ids, mask = arrays if len(arrays) > 1 else (arrays[0], np.ones_like(arrays[0]))
    rows = [row[kept.astype(bool)].tolist() for row, kept in zip(ids, mask)]

    def encode():
        states = encoder.forward_batch(rows).last_hidden_state
        return np.array(states.to(ctranslate2.DataType.float32))[:, 0] @ projection

    return encode


shared.run(job, "ctranslate2", ctranslate2.__version__, {"": prepare}, lambda: encoder.compute_type, sizes=(16,))
