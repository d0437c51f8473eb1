"""Importing this registers every family."""
from . import configs, images, tokens  # noqa: F401
