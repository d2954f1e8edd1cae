"""Which device a run uses."""

import torch

from gpt.options import ConfigError

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


def describe_device(device: torch.device) -> str:
    """The device in words: "CPU, 2 threads", "CUDA, NVIDIA T4"."""
    if device.type == "cuda":
        return f"CUDA, {torch.cuda.get_device_name(device)}"
    if device.type == "mps":
        return "MPS, Apple GPU"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"
