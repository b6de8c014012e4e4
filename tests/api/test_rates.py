"""Token rates of requests: who shares a budget, what may be asked for, what is refused."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from pathlib import Path

import pytest

from llamabox import (
    ChoiceParams,
    Engine,
    FinishReason,
    GenerationParams,
    InvalidRequest,
    Model,
)
from llamabox.api import rates
from llamabox.api.rates import KEPT_SECONDS, Budgets
from tests.api.conftest import ENDLESS, SMALL
from tests.core.running import eventually

NEVER = 0.001
PROMPT = "a prompt: "


def params(rate: float, key: str | None = None) -> GenerationParams:
    return ENDLESS.replace(tokens_per_second=rate, rate_key=key)


def test_requests_of_a_key_share_a_budget_and_others_have_their_own() -> None:
    budgets = Budgets(0)
    assert budgets.bucket(params(0, "a")) is None
    assert budgets.bucket(params(5)) is not budgets.bucket(params(5))
    shared = budgets.bucket(params(5, "a"))
    assert shared is not None
    assert budgets.bucket(params(9, "a")) is shared
    assert budgets.bucket(params(5, "b")) is not shared
    assert budgets.bucket(params(5, "")) is budgets.bucket(params(5, ""))


def test_a_budget_is_kept_while_a_request_has_it_and_some_time_after() -> None:
    budgets = Budgets(0)
    held = budgets._find("held", 5, 0.0)
    idle = id(budgets._find("idle", 5, 0.0))
    assert id(budgets._find("idle", 5, KEPT_SECONDS)) == idle
    budgets._find("other", 5, KEPT_SECONDS * 2 + 1)
    assert set(budgets._shared) == {"held", "other"}
    assert budgets._find("held", 5, KEPT_SECONDS * 3) is held


def test_keys_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "N_KEPT", 10)
    budgets = Budgets(0)
    for i in range(100):
        budgets.bucket(params(5, str(i)))
    assert len(budgets._shared) == len(budgets._recent) == 10


def test_a_process_with_many_open_files_can_measure_its_rate(tiny_model: Model) -> None:
    """`select.select` takes no descriptor above 1023."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as undo:
        undo.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))
        for _ in range(1024):
            undo.enter_context(Path(os.devnull).open())
        with Engine(tiny_model, SMALL.replace(tokens_per_second=-1)) as engine:
            assert engine.tokens_per_second > 0


def test_nobody_may_ask_for_more_than_the_cap(tiny_model: Model) -> None:
    with Engine(tiny_model, SMALL.replace(tokens_per_second=50)) as engine:
        assert engine.tokens_per_second == engine.stats().tokens_per_second == 50
        assert engine.generate(PROMPT, params(50), n_predict=2).n_output == 2
        assert engine.generate(PROMPT, ENDLESS).n_output == ENDLESS.n_predict
        for ask in (engine.generate, lambda *a: engine.generate_choices(*a, n=2)):
            with pytest.raises(InvalidRequest) as caught:
                ask(PROMPT, params(50.5))
            assert caught.value.param == "tokens_per_second"


def test_without_a_cap_every_rate_may_be_asked_for(engine: Engine) -> None:
    assert engine.tokens_per_second == 0
    assert engine.generate(PROMPT, params(1e6)).n_output == ENDLESS.n_predict


@pytest.mark.parametrize("layout", ["unified", "partitioned"])
@pytest.mark.parametrize("n_ctx", [1024, 16])
def test_a_cap_that_is_measured_leaves_no_trace(tiny_model: Model, layout: str, n_ctx: int) -> None:
    settings = SMALL.replace(kv_layout=layout, n_ctx=n_ctx, flash_attention="off")
    with Engine(tiny_model, settings) as engine:
        expected = engine.generate([1, 2, 3], ENDLESS, n_predict=8)
    with Engine(tiny_model, settings.replace(tokens_per_second=-1)) as engine:
        assert engine.tokens_per_second >= 1
        stats = engine.stats()
        assert (stats.n_steps, stats.n_output_tokens, stats.n_cells_used) == (0, 0, 0)
        assert engine.generate([1, 2, 3], ENDLESS, n_predict=8).tokens == expected.tokens


def test_a_cap_is_measured_where_memories_cannot_be_cut(random_models: object) -> None:
    for kind in ("mamba", "gemma3"):
        with Engine(random_models(kind), SMALL.replace(tokens_per_second=-1)) as engine:  # type: ignore[operator]
            assert engine.tokens_per_second >= 1
            assert engine.generate([1, 2, 3], ENDLESS).n_output == ENDLESS.n_predict


def test_a_throttled_stream_is_seen_and_can_be_cancelled(engine: Engine) -> None:
    stream = engine.stream(PROMPT, params(NEVER))
    eventually(lambda: engine.stats().n_throttled == 1, "it waits for a token")
    stream.cancel()
    completion = stream.completion()
    assert (completion.finish_reason, completion.n_output) == (FinishReason.CANCELLED, 1)
    eventually(lambda: engine.stats().n_throttled == 0, "nobody waits")


def test_a_deadline_ends_a_throttled_stream(engine: Engine) -> None:
    completion = engine.generate(PROMPT, params(NEVER), deadline=1.0)
    assert (completion.finish_reason, completion.n_output) == (FinishReason.DEADLINE, 1)


def test_requests_of_one_key_wait_for_one_another(engine: Engine) -> None:
    first = engine.generate(PROMPT, params(NEVER, "tenant"), n_predict=1)
    second = engine.generate(PROMPT, params(NEVER, "tenant"), deadline=0.5)
    other = engine.generate(PROMPT, params(NEVER, "another"), n_predict=1)
    assert (first.n_output, second.n_output, other.n_output) == (1, 0, 1)


def test_choices_have_one_budget(engine: Engine) -> None:
    async def start() -> list[object]:
        prompt = await engine.prepare(PROMPT)
        streams = await engine.submit_choices(prompt, params(NEVER), ChoiceParams(n=3))
        buckets = [stream.request.bucket for stream in streams]
        for stream in streams:
            stream.cancel()
            await stream.completion()
        return list(buckets)

    one, *others = asyncio.run(start())
    assert one is not None
    assert all(other is one for other in others)


def test_choices_say_the_same_throttled(tiny_model: Model) -> None:
    hot = ENDLESS.replace(temperature=1.2, seed=5)
    with Engine(tiny_model, SMALL.replace(flash_attention="off")) as engine:
        free = engine.generate_choices(PROMPT, hot, n=3)
        held = engine.generate_choices(PROMPT, hot, n=3, tokens_per_second=300)
    assert [choice.tokens for choice in held] == [choice.tokens for choice in free]
