"""The programs that README.md shows are the ones that tests/package compiles and runs."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Readme(unittest.TestCase):
    def test_examples(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        shown = re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", readme, re.S)
        self.assertEqual(sorted(name for name, _ in shown), ["tests/package/consumer.c", "tests/package/consumer.cpp"])
        for name, text in shown:
            self.assertEqual(text, (ROOT / name).read_text(encoding="utf-8"), f"README.md shows another {name}")

    def test_links(self):
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
                if not target.startswith(("http://", "https://")):
                    self.assertTrue((page.parent / target).exists(), f"{page.name} links to {target}, which is not there")


if __name__ == "__main__":
    unittest.main()
