"""make_checkpoint.py: the same weights in every dtype and number of shards, complete directories, nothing overwritten unasked."""
import contextlib
import io
import json
import pathlib
import struct
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError:
    print("numpy is not installed: skipped")
    sys.exit(77)

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import make_checkpoint  # noqa: E402
import project_vocab  # noqa: E402

WIDTH = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def make(directory, *arguments):
    with contextlib.redirect_stdout(io.StringIO()):
        sys.argv = ["make_checkpoint.py", "--preset", "tiny", str(directory), *arguments]
        make_checkpoint.main()


def read(path):
    """The tensors of a safetensors file as float32, with the file's own rules checked."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    data, end, tensors = content[8 + length :], 0, {}
    for name, entry in header.items():
        if name == "__metadata__":
            assert entry == {"format": "pt"}
            continue
        begin, after = entry["data_offsets"]
        assert begin == end
        values = np.frombuffer(data[begin:after], WIDTH[entry["dtype"]])
        if entry["dtype"] == "BF16":
            values = (values.astype("<u4") << 16).view("<f4")
        tensors[name], end = values.reshape(entry["shape"]).astype(np.float32), after
    assert end == len(data)
    return tensors


class MakeCheckpoint(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.root = pathlib.Path(self.temporary.name)

    def test_same_weights_however_stored(self):
        make(self.root / "a", "--seed", "5")
        expected = read(self.root / "a" / "model.safetensors")
        self.assertEqual(len(expected), 111)
        for dtype, error in (("float16", 2**-11), ("bfloat16", 2**-8)):
            make(self.root / dtype, "--seed", "5", "--dtype", dtype)
            rounded = read(self.root / dtype / "model.safetensors")
            self.assertEqual(list(rounded), list(expected))
            for name, values in expected.items():
                np.testing.assert_allclose(rounded[name], values, rtol=error, atol=2**-25, err_msg=name)
        make(self.root / "shards", "--seed", "5", "--max-shard-size", "500KB")
        index = json.loads((self.root / "shards" / "model.safetensors.index.json").read_text())
        joined = {}
        for file in sorted(set(index["weight_map"].values())):
            joined.update(read(self.root / "shards" / file))
        self.assertGreater(len(set(index["weight_map"].values())), 2)
        self.assertEqual(set(joined), set(index["weight_map"]))
        self.assertTrue(all(np.array_equal(joined[name], expected[name]) for name in expected))
        make(self.root / "other", "--seed", "6")
        other = read(self.root / "other" / "model.safetensors")
        same = [name for name in expected if np.array_equal(other[name], expected[name])]
        self.assertEqual(same, ["logit_scale"])

    def test_outliers(self):
        make(self.root / "a")
        bias = read(self.root / "a" / "model.safetensors")["vision_model.pre_layrnorm.bias"]
        self.assertGreater(np.abs(bias).max() / np.median(np.abs(bias)), 50)

    def test_refuses_to_overwrite(self):
        make(self.root / "a")
        with self.assertRaisesRegex(SystemExit, "has weights already"):
            make(self.root / "a")
        make(self.root / "a", "--force", "--max-shard-size", "500KB")
        self.assertFalse((self.root / "a" / "model.safetensors").exists())  # it would be found before the shards
        make(self.root / "a", "--force")
        self.assertEqual(sorted(p.name for p in (self.root / "a").iterdir()),
                         ["config.json", "model.safetensors", "preprocessor_config.json", "special_tokens_map.json",
                          "tokenizer_config.json", "vocab.txt"])

    def test_vocabulary(self):
        vocab = project_vocab.build_vocab(21128)
        self.assertEqual((len(vocab), len(set(vocab))), (21128, 21128))
        self.assertEqual([vocab[i] for i in (0, 100, 101, 102, 103)], ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
        self.assertTrue(all(token and token == token.strip() for token in vocab))
        self.assertTrue(set("的一是红苹果狗猫，。!az09") <= set(project_vocab.build_vocab(8192)))
        given = self.root / "given.txt"
        given.write_bytes("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u2028", "图"]).encode())
        make(self.root / "a", "--vocab", str(given))
        self.assertEqual((self.root / "a" / "vocab.txt").read_bytes(), given.read_bytes())
        config = json.loads((self.root / "a" / "config.json").read_text())
        self.assertEqual(config["text_config"]["vocab_size"], 7)  # U+2028 ends no line


if __name__ == "__main__":
    unittest.main()
