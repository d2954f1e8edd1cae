"""How a process that trains is set up."""

import platform

import pytest
import torch

from gpt.device import prepare


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library can be told so")
def test_what_one_step_has_freed_serves_the_next():
    """Without it, the system clears most of the 16,384 pages of these tensors in every round."""
    from resource import RUSAGE_SELF, getrusage

    prepare()
    before = getrusage(RUSAGE_SELF).ru_minflt
    for _ in range(20):
        tensors = [torch.ones(4 << 20) for _ in range(4)]
        tensors.clear()
    assert getrusage(RUSAGE_SELF).ru_minflt - before < 5 * 16_384
