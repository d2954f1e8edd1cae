"""Which device a run uses, and how a process that trains is set up."""

import ctypes
import os
import sys

import torch

from gpt import kernels
from gpt.options import ConfigError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h

AVAILABLE = {
    "cuda": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
    "cpu": lambda: True,
}


def choose_device(name: str) -> torch.device:
    """The device called `name`; for "auto" the first that is there. Raises ConfigError if it is not."""
    if name == "auto":
        name = next(device for device, available in AVAILABLE.items() if available())
    elif not AVAILABLE[name]():
        there = [device for device, available in AVAILABLE.items() if available()]
        raise ConfigError([f"device = {name} is not available on this machine: use auto or {', '.join(there)}."])
    return torch.device(name)


def describe_device(device: torch.device, precision: str = "float32") -> str:
    """The device in words: "CPU, 2 threads", "CUDA, NVIDIA T4, bfloat16"."""
    if device.type == "cpu":
        threads = torch.get_num_threads()
        words = f"CPU, {threads} thread{'s' if threads > 1 else ''}"
    else:
        words = f"CUDA, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else "MPS, Apple GPU"
    if precision == "float32":
        return words
    return f"{words}, {precision}" if kernels.bfloat16_is_fast(device.type) else f"{words}, float32 (no {precision} here)"


def prepare() -> None:
    """Sets this process up for training. May be called again."""
    limit_threads()
    keep_memory()


def keep_memory() -> None:
    """Lets the GNU C library keep what a step has freed for the next one.

    By itself it returns large blocks to the system, which clears every page anew when they are asked for again: up to a
    fifth of a step, and more in a thread than in a program's first.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the largest it takes
        mallopt(M_TRIM_THRESHOLD, 512 << 20)


def limit_threads() -> None:
    """Lets PyTorch use half the cores, at least one; OMP_NUM_THREADS overrides it.

    Its threads wait for each other by spinning, so one that shares its core with the page, a sample or another program
    holds up all: with the other of two cores busy, two threads train at a tenth to a half of the speed of one. Always the
    same number, because results depend on it in the last digit.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
