import importlib.util
import pickle

import numpy as np
import pytest
from golden_cases import pixels

import tuwen

STEPS = {"size": {"height": 6, "width": 8}, "do_center_crop": False}


def test_shortest_edge_is_what_the_documentation_says():
    processor = tuwen.ChineseCLIPImageProcessor()
    assert processor.size == {"shortest_edge": 224}
    out = processor(pixels((40, 60, 3)), return_tensors="np")["pixel_values"]
    assert out.shape == (1, 3, 224, 224)
    out = processor(pixels((40, 60, 3)), size={"shortest_edge": 20}, do_center_crop=False)["pixel_values"]
    assert out[0].shape == (3, 20, 30)
    out = processor(pixels((40, 60, 3)), size={"shortest_edge": 20, "longest_edge": 24}, do_center_crop=False)["pixel_values"]
    assert out[0].shape == (3, 16, 24)


@pytest.mark.parametrize("size", [7, 8, 9])
def test_a_crop_beyond_the_picture_has_its_size(size):
    processor = tuwen.ChineseCLIPImageProcessor(do_resize=False, crop_size=size, do_normalize=False, do_rescale=False)
    image = pixels((5, 6, 3))
    bytes_out = processor(image)["pixel_values"][0]
    floats_out = processor(image.astype(np.float64))["pixel_values"][0]
    assert bytes_out.shape == floats_out.shape == (3, size, size)
    assert np.array_equal(bytes_out, floats_out)


def test_layouts():
    processor = tuwen.ChineseCLIPImageProcessor(**STEPS)
    last = pixels((10, 12, 3))
    expected = processor(last, return_tensors="np").pixel_values
    assert np.array_equal(processor(last.transpose(2, 0, 1), return_tensors="np").pixel_values, expected)
    assert np.array_equal(processor(last, data_format="channels_last")["pixel_values"][0], expected[0].transpose(1, 2, 0))
    assert processor(last, data_format=None)["pixel_values"][0].shape == (6, 8, 3)
    assert processor(last.transpose(2, 0, 1), data_format=None)["pixel_values"][0].shape == (3, 6, 8)
    grey = last[..., 0]
    assert np.array_equal(processor(grey, input_data_format="none", return_tensors="np").pixel_values,
                          processor(np.repeat(grey[..., None], 3, 2), return_tensors="np").pixel_values)
    with pytest.raises(ValueError):
        processor(grey)


def test_files_and_lists(data):
    processor = tuwen.ChineseCLIPImageProcessor(**STEPS)
    path = data / "images" / "files"
    picture = next(p for p in sorted(path.iterdir()) if p.suffix == ".png" and _readable(p))
    array = tuwen.load_image(picture)
    assert array.dtype == np.uint8 and array.ndim == 3 and array.flags.writeable
    expected = processor(array, return_tensors="np").pixel_values
    assert np.array_equal(processor(picture, return_tensors="np").pixel_values, expected)
    assert np.array_equal(processor([str(picture), array], return_tensors="np").pixel_values[0], expected[0])


def _readable(path):
    try:
        return tuwen.load_image(path).shape[0] > 3
    except ValueError:
        return False


def test_pil(data):
    image_module = pytest.importorskip("PIL.Image")
    array = pixels((9, 14, 4))
    processor = tuwen.ChineseCLIPImageProcessor(**STEPS)
    with_alpha = image_module.fromarray(array, "RGBA")
    assert np.array_equal(processor(with_alpha, return_tensors="np").pixel_values,
                          processor(array[..., :3], return_tensors="np").pixel_values)


def test_errors(tmp_path):
    processor = tuwen.ChineseCLIPImageProcessor(**STEPS)
    image = pixels((8, 9, 3))
    for call, error in [
        (lambda: processor(3), ValueError),
        (lambda: processor([]), IndexError),
        (lambda: processor(image, size={"height": 5.0, "width": 4}), TypeError),
        (lambda: processor(image, size={"height": 5}), ValueError),
        (lambda: processor(image, size={"longest_edge": 5}), KeyError),
        (lambda: processor(image, resample=9), ValueError),
        (lambda: processor(image, image_mean=[0.5]), ValueError),
        (lambda: processor(image.astype(np.int64) + 1000), ValueError),
        (lambda: processor([image, image[:4]], do_resize=False, return_tensors="np"), ValueError),
        (lambda: processor(str(tmp_path / "none.png")), OSError),
        (lambda: processor(image, return_tensors="np", data_format="chw"), ValueError),
    ]:
        with pytest.raises(error):
            call()
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ValueError, match="text.png"):
        tuwen.load_image(tmp_path / "text.png")


@pytest.mark.parametrize("name,module", [("tf", "tensorflow"), ("jax", "jax"), ("pt", "torch")])
def test_a_framework_that_is_not_installed_is_named(name, module):
    if importlib.util.find_spec(module) is not None:
        pytest.skip(f"{module} is installed")
    with pytest.raises(ImportError, match=module):
        tuwen.ChineseCLIPImageProcessor(**STEPS)(pixels((8, 9, 3)), return_tensors=name)


def test_saved_pickled_and_old_names(tmp_path):
    processor = tuwen.ChineseCLIPImageProcessor(**STEPS, image_mean=[0.1, 0.2, 0.3])
    processor.save_pretrained(tmp_path)
    again = tuwen.AutoImageProcessor.from_pretrained(tmp_path)
    assert again.to_dict()["image_mean"] == [0.1, 0.2, 0.3]
    assert pickle.loads(pickle.dumps(processor)).to_dict() == processor.to_dict()
    with pytest.warns(FutureWarning):
        old = tuwen.ChineseCLIPFeatureExtractor(**STEPS)
    new = tuwen.ChineseCLIPImageProcessor(**STEPS)
    image = pixels((8, 9, 3))
    assert np.array_equal(old(image)["pixel_values"][0], new(image)["pixel_values"][0])
