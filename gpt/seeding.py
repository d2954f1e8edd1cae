"""Random numbers that depend on what they are for, never on what was drawn before."""

import hashlib

import torch


def seed_for(*key: object) -> int:
    """A 63-bit seed from any key, such as (run seed, "batch", step); the same on every machine."""
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8], "little") >> 1


def generator(*key: object, device: str | torch.device = "cpu") -> torch.Generator:
    """A generator seeded by `key`. Keyed by step, it needs no saved state to resume."""
    return torch.Generator(device).manual_seed(seed_for(*key))
