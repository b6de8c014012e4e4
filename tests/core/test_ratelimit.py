"""A token bucket on a clock that the tests move."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from llamabox._core.ratelimit import Bucket

MS = 10**6
SECOND = 10**9
DAY = 86_400 * SECOND
SHORTEST_TICK = 1 << 22
LONGEST_TICK = 1 << 24
LONG_STEP = SECOND
RATES = (0.001, 0.3, 1.0, 7.3, 20.0, 333.333, 5_000.0, 1e6)


def spend(bucket: Bucket, now: int, most: int = 10**9) -> int:
    """Take what is there, `most` tokens at most."""
    n = min(bucket.n_tokens, most)
    if n > 0:
        bucket.charge(n, now)
    return n


def test_a_new_bucket_has_one_token_and_fills_once_that_is_charged() -> None:
    bucket = Bucket(20)
    bucket.refill(5 * SECOND)
    bucket.refill(9 * SECOND)
    assert bucket.n_tokens == 1
    bucket.charge(1, 9 * SECOND)
    bucket.refill(9 * SECOND + 50 * MS - 1)
    assert bucket.n_tokens == 0
    bucket.refill(9 * SECOND + 50 * MS)
    assert bucket.n_tokens == 1


@pytest.mark.parametrize("rate", RATES)
def test_random_schedules_stay_between_the_rate_and_the_rate_with_a_burst(rate: float) -> None:
    """Exactly so, also at times between which no whole token has come."""
    rng = np.random.default_rng(int(rate * 1000))
    exact = Fraction(round(rate * 1000), 1000) / SECOND
    for _ in range(30):
        bucket = Bucket(rate)
        start = now = int(rng.integers(1, DAY))
        n_spent = spend(bucket, now)
        # Each visit comes before the bucket is full: nothing is lost.
        room = int((bucket.capacity - 1) / rate * SECOND)
        for _ in range(300):
            now += int(rng.integers(1, max(2, room)))
            bucket.refill(now)
            n_spent += spend(bucket, now)
            assert n_spent == 1 + (now - start) * exact // 1


@pytest.mark.parametrize("rate", RATES)
def test_whatever_the_schedule_no_window_has_more_than_the_rate_and_a_burst(rate: float) -> None:
    rng = np.random.default_rng(int(rate * 7) + 1)
    bucket = Bucket(rate)
    now, spent = 1, [(1, spend(bucket, 1))]
    for _ in range(400):
        pause = int(10 ** rng.uniform(3, 13))
        busy = int(rng.integers(0, pause)) if rng.random() < 0.5 else 0
        now += pause
        bucket.refill(now, busy)
        spent.append((now, spend(bucket, now, int(rng.integers(0, 50)))))
    burst = bucket.capacity + rate * LONG_STEP / SECOND
    times = np.array([time for time, _ in spent], dtype=float)
    sums = np.cumsum([n for _, n in spent])
    for i in range(len(spent)):
        before = sums[i - 1] if i else 0
        allowed = burst + rate * (times[i:] - times[i]) / SECOND
        assert np.all(sums[i:] - before <= allowed * (1 + 1e-12) + 1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_nothing_overflows_after_days(rate: float) -> None:
    bucket = Bucket(rate)
    bucket.charge(1, 1)
    for days in (1, 100, 20_000):
        bucket.refill(1 + days * DAY, busy_ns=days * DAY)
        most = bucket.capacity + rate * LONG_STEP / SECOND
        assert most * (1 - 1e-9) - 1 <= bucket.n_tokens <= most
        spend(bucket, 1 + days * DAY)
        assert bucket.n_tokens == 0


def test_what_an_idle_bucket_holds_is_two_tokens_or_what_comes_in_50_ms() -> None:
    assert [Bucket(rate).capacity for rate in (0.01, 20, 100, 1000)] == [2, 2, 6, 51]


def test_a_long_step_is_caught_up_and_an_idle_time_is_not() -> None:
    idle, busy = Bucket(20), Bucket(20)
    for bucket in (idle, busy):
        bucket.charge(1, SECOND)
    idle.refill(2 * SECOND)
    busy.refill(2 * SECOND, busy_ns=SECOND)
    assert (idle.n_tokens, busy.n_tokens) == (2, 20)
    busy.charge(1, 2 * SECOND)
    busy.refill(2 * SECOND + MS, busy_ns=MS)
    assert busy.n_tokens == 19


def test_the_clock_may_stand_still_or_go_back() -> None:
    bucket = Bucket(1000)
    bucket.charge(1, SECOND)
    for now in (SECOND, SECOND // 2, SECOND):
        bucket.refill(now)
        assert bucket.n_tokens == 0
    bucket.refill(SECOND + MS)
    assert bucket.n_tokens == 1


@pytest.mark.parametrize("rate", RATES)
def test_waits_end_at_common_ticks_where_there_is_a_token(rate: float) -> None:
    rng = np.random.default_rng(3)
    due = set()
    for _ in range(50):
        bucket = Bucket(rate)
        now = 10**15 + int(rng.integers(0, LONGEST_TICK))
        bucket.charge(1, now)
        ready = now + Fraction(10**12, round(rate * 1000))
        assert bucket.t_due % SHORTEST_TICK == 0
        assert ready <= bucket.t_due < ready + max(SHORTEST_TICK, min(LONGEST_TICK, 5e8 / rate)) + 1
        bucket.refill(bucket.t_due)
        assert bucket.n_tokens >= 1
        due.add(bucket.t_due)
    assert len(due) <= 1 + LONGEST_TICK // SHORTEST_TICK


def test_a_bucket_with_tokens_is_not_waited_for() -> None:
    bucket = Bucket(20)
    assert bucket.t_due == 0
    bucket.charge(1, SECOND)
    bucket.refill(SECOND + 100 * MS)
    bucket.charge(1, SECOND + 100 * MS)
    assert bucket.t_due <= SECOND + 100 * MS


def test_another_rate_counts_from_its_time_on() -> None:
    bucket = Bucket(20)
    bucket.charge(1, SECOND)
    bucket.set_rate(10, SECOND + 25 * MS)
    assert bucket.tokens_per_second == 10
    bucket.refill(SECOND + 75 * MS - 1)
    assert bucket.n_tokens == 0
    bucket.refill(SECOND + 75 * MS)
    assert bucket.n_tokens == 1


def test_a_lower_rate_takes_what_the_bucket_no_longer_holds() -> None:
    bucket = Bucket(1000)
    bucket.charge(1, SECOND)
    bucket.refill(2 * SECOND)
    assert bucket.n_tokens == 51
    bucket.set_rate(20, 2 * SECOND)
    assert bucket.n_tokens == 2
