"""Importing this registers every family."""
from . import configs, images, models, tokens  # noqa: F401
