"""Prometheus text of the engine's counters, under llama-box's names and some more.

Nothing is counted here: a scrape reads one :class:`EngineStats` and the HTTP counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from ..api import EngineStats, Histogram

__all__ = ["CONTENT_TYPE", "render"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
PREFIX = "llamabox:"


def render(stats: EngineStats, http_counts: Mapping[tuple[str, int], int]) -> bytes:
    """The body of a scrape.

    :param http_counts: answered HTTP requests by route and status.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot([*_tokens(stats), *_requests(stats, http_counts), *_times(stats)]))
    return generate_latest(registry)


class _Snapshot(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _tokens(stats: EngineStats) -> Iterator[Metric]:
    prefill, decode = stats.prefill_seconds, stats.decode_seconds
    yield _counter("tokens_prefill", "Prompt tokens computed.", stats.n_prompt_tokens)
    yield _counter("tokens_prefill_seconds", "Time spent on prompts.", prefill)
    yield _counter("tokens_cached", "Prompt tokens reused, not computed.", stats.n_cached_tokens)
    yield _counter("tokens_decode", "Output tokens.", stats.n_output_tokens)
    yield _counter("tokens_decode_seconds", "Time spent on output tokens.", decode)
    yield _counter("tokens_drafted", "Tokens proposed by speculation.", stats.n_drafted)
    yield _counter(
        "tokens_drafted_accepted", "Proposed tokens that were kept.", stats.n_draft_accepted
    )
    at = CounterMetricFamily(
        PREFIX + "tokens_drafted_accepted_at",
        "Proposed tokens that were kept, by their position in the draft, from 0.",
        labels=["position"],
    )
    for position, count in enumerate(stats.n_accepted_at):
        at.add_metric([str(position)], count)
    yield at
    yield _gauge(
        "tokens_prefill_per_second",
        "Prompt tokens per second of prompt time.",
        stats.n_prompt_tokens / prefill if prefill > 0 else 0.0,
    )
    yield _gauge(
        "tokens_decode_per_second",
        "Output tokens per second of output time.",
        stats.n_output_tokens / decode if decode > 0 else 0.0,
    )
    yield _gauge("kv_cache_tokens", "KV cells in use.", stats.n_cells_used)
    yield _gauge(
        "kv_cache_usage_ratio", "Used share of the KV cells.", stats.n_cells_used / stats.n_cells
    )
    yield _gauge("checkpoint_bytes", "RAM of state checkpoints.", stats.n_checkpoint_bytes)
    yield from _tier(stats)


def _tier(stats: EngineStats) -> Iterator[Metric]:
    yield _gauge("prefix_ram_bytes", "RAM of evicted prefixes.", stats.n_tier_bytes)
    yield _gauge("prefix_ram_blocks", "Their blocks.", stats.n_tier_blocks)
    yield _gauge("prefix_disk_bytes", "Known files of evicted prefixes.", stats.n_tier_disk_bytes)
    yield _gauge("prefix_disk_blocks", "Their blocks.", stats.n_tier_disk_blocks)
    yield _counter("prefix_hits", "Prompts that started from them.", stats.n_tier_hits)
    yield _counter("prefix_tokens_saved", "Tokens saved to them.", stats.n_tier_saved_tokens)
    yield _counter("prefix_tokens_loaded", "Tokens loaded from them.", stats.n_tier_loaded_tokens)


def _requests(stats: EngineStats, http_counts: Mapping[tuple[str, int], int]) -> Iterator[Metric]:
    yield _gauge("requests_running", "Generations that run.", stats.n_running)
    yield _gauge("requests_throttled", "Generations that their rate holds back.", stats.n_throttled)
    yield _gauge("requests_waiting", "Generations that wait for a slot.", stats.n_waiting)
    yield _counter("requests_preempted", "Generations put back to wait.", stats.n_preempted)
    yield _counter("context_shifts", "Full contexts that were shifted.", stats.n_shifts)
    ended = CounterMetricFamily(PREFIX + "requests", "Generations ended.", labels=["finish_reason"])
    for reason, count in stats.n_requests.items():
        ended.add_metric([reason], count)
    yield ended
    answered = CounterMetricFamily(
        PREFIX + "http_requests",
        "HTTP requests answered; a stream's status is how it ended.",
        labels=["route", "status"],
    )
    for (route, status), count in sorted(http_counts.items()):
        answered.add_metric([route, str(status)], count)
    yield answered


def _times(stats: EngineStats) -> Iterator[Metric]:
    yield _histogram("queue_time_seconds", "From arrival to admission.", stats.queue_time)
    yield _histogram(
        "time_to_first_token_seconds", "From arrival to the first token.", stats.first_token
    )
    yield _histogram(
        "inter_token_latency_seconds", "From one output token to the next.", stats.inter_token
    )


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    bounds = [*(repr(bound) for bound in histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, itertools.accumulate(histogram.counts), strict=True))
    return HistogramMetricFamily(PREFIX + name, text, buckets=buckets, sum_value=histogram.sum)
