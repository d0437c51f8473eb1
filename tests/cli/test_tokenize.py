"""tuwen tokenize, and how texts are taken from a command line."""
import json
import unittest

from command_line import MODEL, CommandLine, run


class Tokenize(CommandLine):
    def test_tokenize(self):
        result = json.loads(run("tokenize", MODEL, "--text", "一二", "", "--json").stdout)
        self.assertEqual(list(result), ["model", "texts", "input_ids", "tokens", "offsets"])
        for ids, tokens, offsets in zip(result["input_ids"], result["tokens"], result["offsets"]):
            self.assertEqual((len(ids), tokens[0], tokens[-1]), (len(tokens), "[CLS]", "[SEP]"))
            self.assertEqual(offsets[0], [0, 0])
        self.assertEqual(result["tokens"][1], ["[CLS]", "[SEP]"])
        self.assertEqual(result["offsets"][0][1:-1], [[0, 1], [1, 2]])
        text = run("tokenize", MODEL, "--text", "一二").stdout.decode()
        self.assertIn(" ".join(str(i) for i in result["input_ids"][0]), text)

    def test_texts_are_taken_as_typed(self):
        texts = ["[MASK]", "[a,b]", "{}", "%%", "", "info", "embed", "a,b", "=", "a=b", "'", '"x"', " "]
        result = json.loads(run("tokenize", MODEL, "--json", "--text", *texts).stdout)
        self.assertEqual(result["texts"], texts)
        result = json.loads(run("tokenize", "--json", "--text", *texts, "--", MODEL).stdout)
        self.assertEqual(result["texts"], texts)
        for typed, texts in ((["--text=-5"], ["-5"]), (["--text=--out"], ["--out"]), (["--text=--text="], ["--text="]),
                             (["--text="], [""]), (["--text=", "--json"], [""]), (["--text=", "--text", "a", ""], ["", "a", ""]),
                             (["--text", "-5"], ["-5"]), (["--text", "--no-option"], ["--no-option"])):
            with self.subTest(typed):
                result = json.loads(run("tokenize", MODEL, "--json", *typed).stdout)
                self.assertEqual(result["texts"], texts)


if __name__ == "__main__":
    unittest.main()
