"""Saved sequences are cut and joined as llama.cpp would have saved them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import llama_cpp
import numpy as np
import pytest

from llamabox._core.state import merged
from tests.core.conftest import ModelOf
from tests.core.kinds import CELLS, KINDS, in_both_layouts

N = 100
KINDS_OF_CELLS = [name for name, kind in KINDS.items() if kind == CELLS]


def computed(model_of: ModelOf, name: str, partitioned: bool, flash: bool) -> Iterator[bytes]:
    """The state of a sequence of N tokens, and that of its first 64."""
    model = model_of(name)
    address = model.new_context(128, 3, 128, 128, partitioned=partitioned, flash_attention=flash)
    try:
        tokens = model.random_prompt(np.random.default_rng(31), N)
        batch = llama_cpp.llama_batch_init(N, 0, 1)
        batch.n_tokens = N
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, i, 1
            batch.seq_id[i][0], batch.logits[i] = 1, i == N - 1
        assert llama_cpp.llama_decode(address, batch) == 0
        llama_cpp.llama_batch_free(batch)
        for n in (N, 64):
            llama_cpp.llama_memory_seq_rm(llama_cpp.llama_get_memory(address), 1, n, -1)
            size = llama_cpp.llama_state_seq_get_size(address, 1)
            state = (ctypes.c_uint8 * size)()
            assert llama_cpp.llama_state_seq_get_data(address, state, size, 1) == size
            yield bytes(state)
    finally:
        llama_cpp.llama_free(address)


@pytest.mark.parametrize("name", KINDS_OF_CELLS)
@in_both_layouts
@pytest.mark.parametrize("flash", [False, True])
def test_parts_and_wholes(model_of: ModelOf, name: str, partitioned: bool, flash: bool) -> None:
    whole, first = computed(model_of, name, partitioned, flash)
    assert merged([(whole, 0, N)]) == whole
    assert merged([(whole, 0, 64)]) == first
    parts = [(p0, min(p0 + 7, N)) for p0 in range(0, N, 7)]
    blocks = [(merged([(whole, p0, p1)]), p0, p1) for p0, p1 in parts]
    assert None not in [block for block, _, _ in blocks]
    assert merged(blocks) == whole
    assert merged([*blocks[:9], (blocks[9][0], 63, 64)]) == first


@in_both_layouts
def test_what_is_no_such_state_is_refused(model_of: ModelOf, partitioned: bool) -> None:
    whole, _ = computed(model_of, "llama", partitioned, False)
    assert merged([(whole, 0, N + 1)]) is None
    assert merged([(whole, -1, N)]) is None
    assert merged([(whole, 50, 50)]) is None
    assert merged([(whole + b"1234", 0, N)]) is None
    for n in (0, 4, 8, 12, 16, 100, 1000, 2000, len(whole) - 1):
        assert merged([(whole[:n], 0, N)]) is None


def test_no_change_of_a_state_makes_reading_it_leave_its_bounds(model_of: ModelOf) -> None:
    whole, _ = computed(model_of, "llama", True, False)
    rng = np.random.default_rng(32)
    heads = [*range(8, 64), *rng.integers(0, len(whole), 500)]
    for at in heads:
        changed = bytearray(whole)
        changed[at] ^= 1 << int(rng.integers(8))
        result = merged([(bytes(changed), 0, 50)])
        assert result is None or len(result) < len(whole)
