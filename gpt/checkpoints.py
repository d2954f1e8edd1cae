"""Weights on disk: safetensors files named by their step in one folder, of which the newest two are kept.

torch and safetensors are imported where they are used: lists of runs must appear before torch is there.
"""

import os
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

KEPT = 2  # the newest, and one to fall back to


def save(folder: Path, step: int, tensors: dict[str, "Tensor"], meta: dict[str, str]) -> None:
    """Stores the state after `step` steps, whole or not at all."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    # Tied weights share their memory, which the format does not allow: each gets its own.
    tensors = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    temporary = folder / f"{step:08d}.tmp"
    try:
        save_file(tensors, temporary, {**meta, "checksum": _checksum(tensors)})
        _sync(temporary)
        os.replace(temporary, folder / f"{step:08d}.safetensors")
    finally:
        temporary.unlink(missing_ok=True)  # on a full disk, half a file is in the way of everything else
    _sync(folder)
    for old in [*_saved(folder)[KEPT:], *folder.glob("*.tmp")]:  # .tmp: of a process that died in between
        old.unlink()


def load(folder: Path) -> tuple[int, dict[str, "Tensor"], dict[str, str]] | None:
    """The newest whole checkpoint as (step, tensors on the CPU, meta), or None. Warns of each damaged one it skips."""
    from safetensors import SafetensorError

    for path in _saved(folder):
        try:
            tensors, meta = _read(path)
        except (SafetensorError, OSError, ValueError) as error:
            warnings.warn(f"Checkpoint {path} is damaged ({error}): going back to the one before.", stacklevel=3)
        else:
            return int(path.stem), tensors, meta
    return None


def rewind(folder: Path, step: int) -> None:
    """Removes the checkpoints after `step`."""
    for path in _saved(folder):
        if int(path.stem) > step:
            path.unlink()


def _saved(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"), reverse=True)  # newest first


def _read(path: Path) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        meta = file.metadata() or {}
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # the file goes soon
    if meta.pop("checksum", None) != _checksum(tensors):
        raise ValueError("its checksum does not match")
    return tensors, meta


def _checksum(tensors: dict[str, "Tensor"]) -> str:
    """Of all values, since the format itself notices a file cut short but not one that was changed."""
    import torch

    checksum = 0
    for name in sorted(tensors):
        checksum = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy(), checksum)
    return f"{checksum:08x}"


def _sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name != "posix":
        return  # only POSIX opens folders
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
