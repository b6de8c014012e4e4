"""How long drafts are, by given costs and outcomes, and how costs are learned."""

from __future__ import annotations

import pytest

from llamabox._core.costs import Costs
from llamabox._core.lengths import Lengths

HITS, MISSES = [True] * 60, [False] * 60
HALF = [True, False] * 30


def lengths(*ns: float, n_rows: int = 32, is_partitioned: bool = False) -> Lengths:
    """With the costs of 1, 2 and so on rows."""
    costs = Costs(64)
    costs.fix(*ns)
    return Lengths(costs, n_rows, is_partitioned)


def line(first: float, more: float) -> list[float]:
    return [first + more * n for n in range(64)]


def test_rows_that_cost_nothing_are_all_taken() -> None:
    assert lengths(1.0).chosen([HITS], n_decode=1, n_most=16) == [16]


def test_rows_that_cost_a_forward_are_never_taken() -> None:
    assert lengths(*line(1, 1)).chosen([HITS], n_decode=1, n_most=16) == [0]


def test_misses_make_drafts_shorter_down_to_none() -> None:
    chosen = [
        lengths(*line(1, 0.3)).chosen([history], n_decode=1, n_most=16)[0]
        for history in (HITS, [*HITS, False, False], HALF, MISSES)
    ]
    assert chosen == sorted(chosen, reverse=True)
    assert chosen[0] > 8
    assert 0 < chosen[1] < 8
    assert chosen[3] == 0


def test_hits_bring_drafts_back() -> None:
    some = lengths(*line(1, 0.3))
    assert some.chosen([MISSES + HITS[:2]], n_decode=1, n_most=16) == [0]
    assert some.chosen([MISSES + HITS[:30]], n_decode=1, n_most=16)[0] > 2


def test_what_others_did_is_expected_of_a_new_request() -> None:
    """A hundred of whose predictions failed, or came true."""
    bad, good = lengths(*line(1, 0.3)), lengths(*line(1, 0.3))
    for _ in range(10):
        bad.chosen([MISSES], n_decode=1, n_most=16)
        good.chosen([HITS], n_decode=1, n_most=16)
    assert bad.chosen([[]], n_decode=1, n_most=16) == [0]
    assert good.chosen([[]], n_decode=1, n_most=16)[0] > 4


def test_longer_matches_are_drafted_for_longer() -> None:
    some = lengths(*line(1, 0.3))
    chosen = [some.chosen([[]], n_decode=1, n_most=16, n_matched=n)[0] for n in (1, 4, 8, 16)]
    assert chosen == sorted(chosen)
    assert chosen[0] < chosen[-1]


def test_lengths_end_with_tiles() -> None:
    """Where rows are computed by fours, a fifth one costs as much as all of the next four."""
    tiles = [1.0 + (n // 4) for n in range(64)]
    assert (1 + lengths(*tiles).chosen([HITS], n_decode=1, n_most=16)[0]) % 4 == 0
    assert (3 + sum(lengths(*tiles).chosen([HITS] * 3, n_decode=3, n_most=16))) % 4 == 0


def test_one_row_more_may_cost_a_lot_if_many_are_cheap() -> None:
    jump = [1.0, *(3 + 0.1 * n for n in range(63))]
    assert lengths(*jump).chosen([HITS], n_decode=1, n_most=16)[0] > 8


def test_rows_go_where_they_are_accepted() -> None:
    first, second, third = lengths(*line(4, 0.05)).chosen(
        [HALF, HITS, MISSES], n_decode=3, n_most=16
    )
    assert second > first > third == 0


def test_a_full_batch_is_not_drafted_for() -> None:
    """Rows cost little up to eight, and then each what one more slot would."""
    full = [1 + 0.05 * n if n < 8 else 1 + 0.35 + 0.9 * (n - 7) for n in range(64)]
    assert lengths(*full).chosen([HITS], n_decode=1, n_most=16) == [7]
    assert sum(lengths(*full).chosen([HITS] * 8, n_decode=8, n_most=16)) == 0


def test_rows_of_a_step_are_bounded_and_shared_evenly() -> None:
    chosen = lengths(1.0, n_rows=10).chosen([HITS] * 4, n_decode=4, n_most=16)
    assert sorted(chosen) == [2, 2, 3, 3]


def test_one_slot_does_not_draft_at_the_cost_of_others() -> None:
    """All rows of a step take time, which those that have no draft lose."""
    costs = line(1, 0.25)
    (alone,) = lengths(*costs).chosen([HITS], n_decode=4, n_most=16)
    together = lengths(*costs).chosen([HITS] * 4, n_decode=4, n_most=16)
    assert 0 < alone <= 2
    assert min(together) > 4


def test_too_short_a_draft_is_none() -> None:
    some = lengths(*line(1, 0.3))
    assert some.chosen([HALF], n_decode=1, n_most=16, n_least=1)[0] > 0
    assert some.chosen([HALF], n_decode=1, n_most=16, n_least=12) == [0]


def test_rows_that_are_too_few_for_all_go_to_those_they_are_enough_for() -> None:
    some = lengths(1.0, n_rows=10)
    chosen = some.chosen([HITS] * 4, n_decode=4, n_most=8, n_least=4)
    assert sorted(chosen) == [0, 0, 5, 5]
    assert some.chosen([HITS] * 4, n_decode=4, n_most=8, n_least=11) == [0] * 4


def test_streams_that_differ_are_computed_one_by_one() -> None:
    """In a partitioned memory, a draft for one slot alone costs a forward of its own."""
    costs = line(1, 0.05)
    alone = lengths(*costs, is_partitioned=True)
    assert alone.chosen([HALF], n_decode=4, n_most=2) == [0]
    assert lengths(*costs).chosen([HALF], n_decode=4, n_most=2)[0] > 0
    even = alone.chosen([HITS, [*HITS, False], HITS, HITS], n_decode=4, n_most=7)
    assert even[0] > 0
    assert len(set(even)) == 1


def test_a_model_has_to_be_worth_its_time() -> None:
    model = {"n_decode": 1, "n_most": 16, "n_matched": 0}
    free = lengths(*line(10, 1)).chosen([HITS], depth_ns=0, **model)[0]
    cheap = lengths(*line(10, 1)).chosen([HITS], depth_ns=2, **model)[0]
    dear = lengths(*line(10, 1)).chosen([HITS], depth_ns=20, **model)[0]
    assert free >= cheap > dear == 0


def test_nothing_is_drafted_until_a_plain_step_is_measured() -> None:
    costs = Costs(64)
    some = Lengths(costs, 32)
    assert some.chosen([HITS], n_decode=1, n_most=16) == [0]
    costs.measure(1, 1000)
    assert some.chosen([HITS], n_decode=1, n_most=16)[0] > 0


def test_a_shorter_draft_of_unknown_cost_is_tried() -> None:
    """So a tile's edge is found, though the rows beyond it are what was measured."""
    costs = Costs(64)
    some = Lengths(costs, 32)
    chosen = []
    for _ in range(80):
        n_rows = 1 + some.chosen([HITS], n_decode=1, n_most=16)[0]
        costs.measure(n_rows, 1000 * ((n_rows + 3) // 4))
        chosen.append(n_rows)
    assert chosen[0] == 1
    assert chosen[2] == 17
    assert chosen[-1] in (4, 8, 12, 16)


def test_costs_are_interpolated() -> None:
    costs = Costs(20)
    assert costs.nanoseconds(3) == 0
    costs.measure(2, 1000)
    costs.measure(10, 3000)
    assert [costs.nanoseconds(n) for n in (1, 2, 6, 10)] == pytest.approx([1000, 1000, 2000, 3000])
    assert 3000 < costs.nanoseconds(20) <= 3000 + 10 * 250


def test_costs_follow_what_is_measured() -> None:
    costs = Costs(20)
    for n in (1, 8):
        costs.measure(n, 1000 * n)
    for _ in range(200):
        costs.measure(1, 2000)
    assert costs.nanoseconds(1) == pytest.approx(2000, rel=0.01)
    # Everything is slower, as far as anyone knows.
    assert 10_000 < costs.nanoseconds(8) < 20_000


def test_an_interruption_hardly_counts() -> None:
    costs = Costs(20)
    for _ in range(20):
        costs.measure(4, 1000)
    costs.measure(4, 1_000_000)
    assert costs.nanoseconds(4) <= 1070


def test_fewer_rows_cost_no_more_than_more_of_them() -> None:
    costs = Costs(20)
    for n, ns in ((1, 1000), (6, 9000), (8, 3000)):
        costs.measure(n, ns)
    assert [costs.nanoseconds(n) for n in (1, 6, 7, 8)] == [1000, 3000, 3000, 3000]


def test_a_measurement_of_long_ago_is_forgotten() -> None:
    costs = Costs(20)
    costs.measure(1, 1000)
    costs.measure(9, 1_000_000)
    for _ in range(300):
        costs.measure(1, 1000)
    assert costs.nanoseconds(9) <= 4000
