"""``GET /metrics``: names, types, and that the numbers are the engine's."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.server.conftest import N_CTX, small_config
from tests.server.live import LiveServer

COUNTERS = {
    "tokens_prefill_total",
    "tokens_prefill_seconds_total",
    "tokens_decode_total",
    "tokens_decode_seconds_total",
    "tokens_drafted_total",
    "tokens_drafted_accepted_total",
    "tokens_drafted_accepted_at_total",
    "tokens_cached_total",
    "prefix_hits_total",
    "prefix_tokens_saved_total",
    "prefix_tokens_loaded_total",
    "requests_total",
    "requests_preempted_total",
    "context_shifts_total",
    "http_requests_total",
}
GAUGES = {
    "tokens_prefill_per_second",
    "tokens_decode_per_second",
    "kv_cache_usage_ratio",
    "kv_cache_tokens",
    "checkpoint_bytes",
    "prefix_ram_bytes",
    "prefix_ram_blocks",
    "prefix_disk_bytes",
    "prefix_disk_blocks",
    "requests_running",
    "requests_throttled",
    "requests_waiting",
}
HISTOGRAMS = {"queue_time_seconds", "time_to_first_token_seconds", "inter_token_latency_seconds"}


def scrape(client: httpx.Client) -> dict[str, float]:
    """Sample by name and labels."""
    text = client.get("/metrics").text
    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_names_and_types(client: httpx.Client) -> None:
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    types = {
        tuple(line.split()[2:]) for line in response.text.splitlines() if line.startswith("# TYPE")
    }
    kinds = ((COUNTERS, "counter"), (GAUGES, "gauge"), (HISTOGRAMS, "histogram"))
    assert types == {(f"llamabox:{name}", kind) for names, kind in kinds for name in names}


def test_a_request_moves_the_counters(server: LiveServer, client: httpx.Client) -> None:
    before = scrape(client)
    body = {"prompt": [9, 8, 7, 6, 5], "max_tokens": 6, "ignore_eos": True}
    usage = client.post("/v1/completions", json=body).json()["usage"]
    after = scrape(client)

    def moved(name: str) -> float:
        return after[f"llamabox:{name}"] - before.get(f"llamabox:{name}", 0)

    cached = usage["prompt_tokens_details"]["cached_tokens"]
    assert moved("tokens_decode_total") == 6
    assert moved("tokens_prefill_total") == 5 - cached
    assert moved("tokens_cached_total") == cached
    assert moved("requests_total[length]") == 1
    assert moved("http_requests_total[/v1/completions][200]") == 1
    assert moved("time_to_first_token_seconds_count") == 1
    assert moved("queue_time_seconds_count") == 1
    assert moved("inter_token_latency_seconds_count") == 5
    assert moved("inter_token_latency_seconds_bucket[+Inf]") == 5
    assert moved("tokens_decode_seconds_total") > 0
    assert after["llamabox:requests_running"] == after["llamabox:requests_waiting"] == 0
    n_cells = server.stats().n_cells_used
    assert after["llamabox:kv_cache_tokens"] == n_cells
    assert after["llamabox:kv_cache_usage_ratio"] == n_cells / N_CTX


def test_buckets_are_cumulative(client: httpx.Client) -> None:
    client.post("/v1/completions", json={"prompt": "x", "max_tokens": 4, "ignore_eos": True})
    samples = scrape(client)
    for name in HISTOGRAMS:
        buckets = [v for k, v in samples.items() if k.startswith(f"llamabox:{name}_bucket")]
        assert len(buckets) > 2
        assert buckets == sorted(buckets)
        assert buckets[-1] == samples[f"llamabox:{name}_count"] > 0


def test_errors_are_counted_by_route(client: httpx.Client) -> None:
    key = "llamabox:http_requests_total[/v1/chat/completions][400]"
    before = scrape(client).get(key, 0)
    client.post("/v1/chat/completions", content=b"x")
    assert scrape(client)[key] == before + 1


def test_without_the_flag_there_are_none() -> None:
    with LiveServer(small_config()) as server, server.wait_ready().client() as client:
        response = client.get("/metrics")
    assert response.status_code == 501
    assert response.json()["error"]["type"] == "not_supported_error"
