"""One way to break the source."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    name: str  # area-what, unique
    file: str
    breaks: str  # in a few words, for the table
    old: str
    new: str
    tests: tuple = ("test_kernels",)  # of which one must fail: test programs, or cli-NAME for tests/cli/test_NAME.py
    needs: str = ""  # a CPU flag without which the changed code does not run
