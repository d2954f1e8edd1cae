"""Weights on disk: safetensors files named by their step in one folder, of which the newest two are kept, and lasting ones.

torch and safetensors are imported where they are used: lists of runs must appear before torch is there.
"""

import os
import warnings
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

KEPT = 2  # the newest, and one to fall back to
LASTING, MOST_LASTING, LARGEST_LASTING = "lasting", 12, 32 << 20  # in a file's name; files of a run; bytes of one


def save(folder: Path, step: int, tensors: dict[str, "Tensor"], meta: dict[str, str], lasting: bool = False) -> None:
    """Stores the state after `step` steps, whole or not at all.

    A lasting one stays when newer ones come, for others to begin at, unless it is large; of these the newest dozen do.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    # Tied weights share their memory, which the format does not allow: each gets its own.
    tensors = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    small = sum(tensor.nbytes for tensor in tensors.values()) <= LARGEST_LASTING
    temporary, ending = folder / f"{step:08d}.tmp", f".{LASTING}" * (lasting and small) + ".safetensors"
    try:
        save_file(tensors, temporary, {**meta, "checksum": _checksum(tensors)})
        _sync(temporary)
        os.replace(temporary, folder / f"{step:08d}{ending}")
    finally:
        temporary.unlink(missing_ok=True)  # on a full disk, half a file is in the way of everything else
    _sync(folder)
    saved = _saved(folder)
    lasts = [path for path in saved if LASTING in path.name]
    old = [path for path in saved[KEPT:] if path not in lasts] + lasts[MOST_LASTING:]
    for path in [*old, *folder.glob("*.tmp")]:  # .tmp: of a process that died in between
        path.unlink()


def kept(folder: Path) -> list[int]:
    """The steps of all checkpoints, rising."""
    return sorted({_step(path) for path in _saved(folder)})


def written(folder: Path) -> dict[int, int]:
    """When each checkpoint was written, by its step: a step that is trained once more may end in other weights."""
    found = {}
    for path in _saved(folder):
        with suppress(FileNotFoundError):  # a newer one has taken its place meanwhile
            found[_step(path)] = path.stat().st_mtime_ns
    return found


def load(folder: Path, step: int | None = None) -> tuple[int, dict[str, "Tensor"], dict[str, str]] | None:
    """The newest whole checkpoint as (step, tensors on the CPU, meta), or that of `step`; None if there is none.
    Warns of each damaged one it skips."""
    from safetensors import SafetensorError

    for path in _saved(folder):
        if step not in (None, _step(path)):
            continue
        try:
            tensors, meta = _read(path)
        except (SafetensorError, OSError, ValueError) as error:
            warnings.warn(f"Checkpoint {path} is damaged ({error}): going back to the one before.", stacklevel=3)
        else:
            return _step(path), tensors, meta
    return None


def rewind(folder: Path, step: int) -> None:
    """Removes the checkpoints after `step`."""
    for path in _saved(folder):
        if _step(path) > step:
            path.unlink()


def _saved(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"), key=lambda path: (_step(path), path.name), reverse=True)  # newest first


def _step(path: Path) -> int:
    return int(path.name.split(".")[0])


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
