"""What each batch holds: decode rows first, bounded prefill beside them, every position once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.core.faults import Gated, Row
from tests.core.running import GREEDY, Core, LoadedModel

N_BATCH, N_UBATCH, N_PARALLEL = 64, 16, 4
ENDLESS = GREEDY.replace(ignore_eos=True)


@pytest.fixture(scope="module")
def batches(tiny: LoadedModel) -> list[list[Row]]:
    """Of twelve requests at once, long prompts among them."""
    gate, rng = Gated(), np.random.default_rng(4)
    sizes = {"n_ctx": 1024, "n_parallel": N_PARALLEL, "n_batch": N_BATCH, "n_ubatch": N_UBATCH}
    with Core(tiny, decoder=gate, **sizes) as core:
        core.submit(tiny.random_prompt(rng, 200), 12, params=ENDLESS)
        gate.entered.wait()
        for n in (1, 16, 90, 2, 64, 65, 150, 30, 1, 120, 17):
            core.submit(tiny.random_prompt(rng, n), 12, params=ENDLESS)
        gate.open()
        core.wait()
    return gate.batches


def runs(batch: list[Row]) -> list[list[Row]]:
    """The rows of a batch by sequence, in their order."""
    return [list(rows) for _, rows in itertools.groupby(batch, key=lambda row: row[2])]


def test_a_batch_is_never_empty_nor_above_n_batch(batches: list[list[Row]]) -> None:
    assert all(1 <= len(batch) <= N_BATCH for batch in batches)


def test_a_sequence_is_in_a_batch_once_with_neighbouring_positions(
    batches: list[list[Row]],
) -> None:
    for batch in batches:
        sequences = [rows[0][2] for rows in runs(batch)]
        assert len(sequences) == len(set(sequences))
        for rows in runs(batch):
            first = rows[0][1]
            assert [row[1] for row in rows] == list(range(first, first + len(rows)))


def test_only_the_last_row_of_a_sequence_is_an_output_row(batches: list[list[Row]]) -> None:
    for rows in itertools.chain.from_iterable(map(runs, batches)):
        assert not any(is_output for *_, is_output in rows[:-1])


def test_positions_of_a_sequence_go_on_or_start_again(batches: list[list[Row]]) -> None:
    held = dict.fromkeys(range(N_PARALLEL), 0)
    for rows in itertools.chain.from_iterable(map(runs, batches)):
        sequence, first = rows[0][2], rows[0][1]
        assert first <= held[sequence]
        held[sequence] = first + len(rows)


def test_single_rows_come_before_prompts_and_bound_them(batches: list[list[Row]]) -> None:
    n_mixed = 0
    for batch in batches:
        lengths = [len(rows) for rows in runs(batch)]
        n_single = sum(1 for _ in itertools.takewhile(lambda n: n == 1, lengths))
        if 0 < n_single < len(lengths):
            n_mixed += 1
            assert sum(lengths[n_single:]) <= N_UBATCH
    assert n_mixed > 5


def test_a_prompt_alone_takes_the_whole_batch(batches: list[list[Row]]) -> None:
    assert len(batches[0]) == N_BATCH


def test_waiting_prompts_take_turns(tiny: LoadedModel) -> None:
    gate, rng = Gated(), np.random.default_rng(5)
    with Core(tiny, n_batch=32, n_ubatch=32, decoder=gate) as core:
        first = core.submit(tiny.random_prompt(rng, 32), 1)
        gate.entered.wait()
        others = [core.submit(tiny.random_prompt(rng, 320), 1) for _ in range(3)]
        gate.open()
        core.wait(first, *others)
    served = [rows[0][2] for rows in itertools.chain.from_iterable(map(runs, gate.batches[1:7]))]
    assert len(set(served)) == 3, "one prompt waits for another's end"
