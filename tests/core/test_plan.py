"""What each batch holds: decode rows first, bounded prefill beside them, every position once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.core.faults import Gated, Row
from tests.core.running import DEADLINE, GREEDY, Core, LoadedModel

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


def test_prompts_beside_single_rows_are_bounded(batches: list[list[Row]]) -> None:
    n_mixed = 0
    for batch in batches:
        lengths = [len(rows) for rows in runs(batch)]
        if 0 < lengths.count(1) < len(lengths):
            n_mixed += 1
            assert sum(lengths) - lengths.count(1) <= N_UBATCH
    assert n_mixed > 5


def sequence_runs(batch: list[Row]) -> list[list[int]]:
    """The sequences of a batch, cut where llama.cpp cannot compute two of them at once."""
    cut: list[list[int]] = []
    for rows in runs(batch):
        sequence = rows[0][2]
        if cut and sequence == cut[-1][-1] + 1:
            cut[-1].append(sequence)
        else:
            cut.append([sequence])
    return cut


def test_sequences_stand_in_rising_runs_that_fall(batches: list[list[Row]]) -> None:
    for batch in batches:
        sequences = sorted(row[2] for rows in runs(batch) for row in rows[:1])
        n_gaps = sum(b != a + 1 for a, b in itertools.pairwise(sequences))
        cut = sequence_runs(batch)
        assert len(cut) == n_gaps + 1
        assert cut == sorted(cut, reverse=True)


def test_a_long_prompt_is_a_run_of_its_own(tiny: LoadedModel) -> None:
    gate, rng = Gated(), np.random.default_rng(7)
    with Core(tiny, n_ctx=4096, n_batch=1024, n_ubatch=64, decoder=gate) as core:
        first = core.submit(tiny.random_prompt(rng, 5), 60, params=ENDLESS)
        gate.entered.wait()
        long = core.submit(tiny.random_prompt(rng, 1500), 4, params=ENDLESS)
        others = [core.submit(tiny.random_prompt(rng, 9), 60, params=ENDLESS) for _ in range(2)]
        gate.open()
        core.wait(first, long, *others)
    apart = [sequence_runs(batch) for batch in gate.batches if long_position(batch) >= 512]
    assert apart
    assert all([1] in cut for cut in apart)


def long_position(batch: list[Row]) -> int:
    """Where the chunk of a prompt begins; -1 if the batch has none."""
    return max((rows[0][1] for rows in runs(batch) if len(rows) > 1), default=-1)


def test_a_prompt_alone_takes_the_whole_batch(batches: list[list[Row]]) -> None:
    assert len(batches[0]) == N_BATCH


def test_a_short_prompt_overtakes_a_long_one(tiny: LoadedModel) -> None:
    gate, rng = Gated(), np.random.default_rng(5)
    with Core(tiny, n_batch=32, n_ubatch=32, decoder=gate) as core:
        first = core.submit(tiny.random_prompt(rng, 32), 1)
        gate.entered.wait()
        long = core.submit(tiny.random_prompt(rng, 320), 1)
        short = core.submit(tiny.random_prompt(rng, 20), 1)
        gate.open()
        core.wait(first, long, short)
    assert short.request.times[2] < long.request.times[2]


def test_short_prompts_do_not_starve_a_long_one(tiny: LoadedModel) -> None:
    gate, rng = Gated(), np.random.default_rng(6)
    with Core(tiny, n_batch=32, n_ubatch=32, n_parallel=3, decoder=gate) as core:
        first = core.submit(tiny.random_prompt(rng, 32), 1)
        gate.entered.wait()
        long = core.submit(tiny.random_prompt(rng, 320), 1)
        shorts = [core.submit(tiny.random_prompt(rng, 32), 1) for _ in range(60)]
        gate.open()
        core.wait(first, long, *shorts)
    served_before = sum(short.request.times[2] < long.request.times[2] for short in shorts)
    assert 0 < served_before <= 320 // 32 + 2


def test_higher_priorities_are_served_first(tiny: LoadedModel) -> None:
    gate, rng = Gated(), np.random.default_rng(8)
    with Core(tiny, n_parallel=1, decoder=gate) as core:
        first = core.submit(tiny.random_prompt(rng, 4), 1)
        gate.entered.wait()
        levels = [0, 2, -1, 1]
        results = [
            core.submit(tiny.random_prompt(rng, 4), 1, priority_ns=level * 10**12)
            for level in levels
        ]
        gate.open()
        core.wait(first, *results)
    order = sorted(range(4), key=lambda i: results[i].request.times[1])
    assert [levels[i] for i in order] == [2, 1, 0, -1]


def test_a_request_that_is_late_ends_whether_it_waits_or_runs(tiny: LoadedModel) -> None:
    rng = np.random.default_rng(9)
    with Core(tiny, n_ctx=4096, n_parallel=1) as core:
        running = core.submit(tiny.random_prompt(rng, 4), -1, params=ENDLESS, deadline_ns=10**7)
        waiting = core.submit(tiny.random_prompt(rng, 4), 4, deadline_ns=1)
        core.wait(running, waiting)
    assert (running.finish, waiting.finish) == (DEADLINE, DEADLINE)
    assert waiting.request.n_output == 0
