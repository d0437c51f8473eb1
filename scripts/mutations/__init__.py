"""The mutations of scripts/mutate.py, by what they break: (file, text that occurs in it once, what to put there instead)."""

from mutations.commands import CLI
from mutations.cuda import CUDA
from mutations.kernels import KERNELS
from mutations.library import LIBRARY
from mutations.models import MODELS

MUTATIONS = KERNELS + MODELS + CUDA + LIBRARY + CLI
