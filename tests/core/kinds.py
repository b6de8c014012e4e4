"""The kinds of memory by architecture, and what every test of them checks."""

from __future__ import annotations

import pytest

from tests.core.plain_greedy import plain_greedy
from tests.core.running import GREEDY, LoadedModel, Result

CELLS, WINDOW, STATES = range(3)
KINDS = {
    "llama": CELLS,
    "qwen2": CELLS,
    "olmoe": CELLS,
    "gemma3": WINDOW,
    "mamba": STATES,
    "rwkv7": STATES,
    "jamba": STATES,
}
"""By architecture; the window is one where it is smaller than the context."""
UNCUT = [name for name, kind in KINDS.items() if kind != CELLS]
ROUNDING = 1e-4
"""Logits that llama.cpp may differ by when it computes the same rows in other batches."""
ENDLESS = GREEDY.replace(ignore_eos=True)
N_TAIL = 4
"""Tokens between the last checkpoint of a prompt and its end."""

every_kind = pytest.mark.parametrize("name", KINDS)
every_uncut = pytest.mark.parametrize("name", UNCUT)
in_both_layouts = pytest.mark.parametrize("partitioned", [False, True], ids=["unified", "streams"])


def check_output(model: LoadedModel, prompt: list[int], result: Result) -> None:
    """It is what llama.cpp alone says, up to ties."""
    cold = plain_greedy(model, prompt, len(result.tokens), ignore_eos=True)
    assert result.tokens
    assert cold.agrees(result.tokens, ROUNDING)
