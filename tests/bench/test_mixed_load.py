"""Gaps and windows of streams, their picture, and what counts as complete under pressure."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench.engine_streams import common_rate
from bench.latency_plot import Trace, draw_traces
from bench.replies import Reply
from bench.scenarios.mixed_load import MixedRun
from bench.scenarios.pool_pressure import n_alike, n_complete

MS = 1_000_000


def reply(sent_at: int, *times: int, text: str = "") -> Reply:
    """A reply with a token at each of `times`, in milliseconds."""
    return Reply(
        text=text,
        is_whole=True,
        n_tokens=len(times),
        sent_at=sent_at * MS,
        times=tuple(time * MS for time in times),
        ended_at=times[-1] * MS,
    )


def test_worst_gap_is_that_of_the_wait() -> None:
    streams = (reply(0, 90, 95, 100, 160, 172, 300), reply(0, 90, 95, 103, 150, 175, 180))
    run = MixedRun(streams=streams, long=reply(98, 170, 500))
    assert run.worst_gap == pytest.approx(
        0.060
    )  # 90 from 0 is over before it, 128 from 172 begins after it
    assert run.long_first_token == pytest.approx(0.072)
    assert run.calm_gap == pytest.approx(0.005)


def test_gaps_that_begin_or_end_in_the_wait_count() -> None:
    run = MixedRun(streams=(reply(0, 10, 50, 52, 99),), long=reply(40, 60))
    assert run.worst_gap == pytest.approx(0.047)
    assert run.median_gap == pytest.approx(0.040)


def test_stream_without_a_token_at_the_arrival_waits_since_its_request() -> None:
    run = MixedRun(streams=(reply(0, 80, 82),), long=reply(10, 81))
    assert run.worst_gap == pytest.approx(0.080)
    assert math.isnan(run.calm_gap)


def test_streams_that_are_over_too_early_are_an_error() -> None:
    with pytest.raises(ValueError, match="over before"):
        MixedRun(streams=(reply(0, 10, 20),), long=reply(15, 30))


def test_trace_counts_from_the_arrival() -> None:
    trace = MixedRun(streams=(reply(0, 10, 20, 50),), long=reply(15, 30)).trace("x")
    assert trace.first_token == pytest.approx(0.015)
    assert trace.points == (pytest.approx((0.005, 0.010)), pytest.approx((0.035, 0.030)))


def test_plot_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    points = ((-0.5, 0.005), (0.1, 0.02), (0.4, 0.3))
    path = tmp_path / "plot.png"
    draw_traces([Trace(name=name, points=points, first_token=0.4) for name in "ab"], path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_common_rate_counts_what_all_generate() -> None:
    streams = [[(0.0, 1), (1.0, 2), (2.0, 2)], [(0.5, 1), (1.5, 2), (2.5, 1)]]
    assert common_rate(streams) == pytest.approx((2 + 2 + 2) / 1.5)


def test_streams_one_after_the_other_have_no_common_rate() -> None:
    with pytest.raises(ValueError, match="same time"):
        common_rate([[(0.0, 1), (1.0, 1)], [(2.0, 1), (3.0, 1)]])


def test_complete_and_alike() -> None:
    burst = (reply(0, 1, 2, text="a"), reply(0, 1, text="b"), None)
    other = (reply(0, 5, text="a"), reply(0, 5, text="c"), None)
    assert n_complete(burst, 2) == 1
    assert n_alike(burst, other) == 1
