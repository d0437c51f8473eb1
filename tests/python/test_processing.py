import pickle

import numpy as np
import pytest
from golden_cases import pixels

import tuwen


def test_texts_and_pictures(base):
    processor = tuwen.AutoProcessor.from_pretrained(base)
    both = processor(text="a b", images=pixels((20, 30, 3)), return_tensors="np")
    text = processor(text=["a b", "c"], padding=True, return_tensors="np")
    images = processor(images=pixels((20, 30, 3)), return_tensors="np")
    assert list(both) == [*text, *images]
    assert list(text) == ["input_ids", "token_type_ids", "attention_mask"]
    assert list(images) == ["pixel_values"] and images.pixel_values.shape == (1, 3, 18, 18)
    assert processor.model_input_names == ["input_ids", "token_type_ids", "attention_mask", "pixel_values"]
    assert processor.decode(text.input_ids[0]) == processor.batch_decode(text.input_ids)[0]


def test_errors(base):
    processor = tuwen.CLIPProcessor.from_pretrained(base)
    with pytest.raises(ValueError):
        processor()
    with pytest.raises(ValueError):
        tuwen.ChineseCLIPProcessor()
    with pytest.raises(ValueError):
        tuwen.ChineseCLIPProcessor(processor.image_processor)


def test_saved_and_pickled(base, tmp_path):
    processor = tuwen.ChineseCLIPProcessor.from_pretrained(base)
    processor.save_pretrained(tmp_path)
    image = pixels((20, 30, 3))
    expected = processor(text="a b", images=image)
    for again in (tuwen.ChineseCLIPProcessor.from_pretrained(tmp_path), pickle.loads(pickle.dumps(processor))):
        found = again(text="a b", images=image)
        assert found["input_ids"] == expected["input_ids"]
        assert np.array_equal(found["pixel_values"][0], expected["pixel_values"][0])
