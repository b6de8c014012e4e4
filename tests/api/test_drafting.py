"""Drafts through the engine: what is told of them, and what they save."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llamabox import Completion, Engine, EngineParams, GenerationParams, Model

GREEDY = GenerationParams(temperature=0, seed=0)
PARAMS = EngineParams(n_ctx=1024, n_parallel=2, flash_attention="off", kv_layout="unified")
TEXTS = (
    "The moon is bright tonight. The dog has a red ball. The moon is bright tonight.",
    "A small boat sails slowly across the cold grey lake, and the old man counts the birds.",
)


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with Model.load() as loaded:
        yield loaded


@pytest.fixture(scope="module")
def drafting(model: Model) -> Iterator[Engine]:
    with Engine(model, PARAMS.replace(lookup_ngram_min=2)) as engine:
        # Else how long drafts are follows from times.
        engine._scheduler.speculation.lengths.costs.fix(1e6)
        yield engine


def repeat(engine: Engine, text: str, **options: object) -> tuple[Completion, int]:
    """The packaged model's answer, and the forwards that it took."""
    before = engine.stats().n_steps
    question = [{"role": "user", "content": f"Repeat this text: {text}"}]
    answer = engine.chat(question, GREEDY.replace(**options))
    return answer, engine.stats().n_steps - before


def test_repeating_a_text_takes_half_the_forwards(model: Model, drafting: Engine) -> None:
    drafting.generate([5] * 20, GREEDY, n_predict=40)
    n_plain = n_drafted = 0
    with Engine(model, PARAMS) as plain:
        for text in TEXTS:
            expected, n = repeat(plain, text)
            n_plain += n
            answer, n = repeat(drafting, text)
            n_drafted += n
            assert answer.text == expected.text == text
            assert answer.n_output == expected.n_output
            assert (expected.n_drafted, expected.n_draft_accepted) == (0, 0)
            assert 0 < answer.n_draft_accepted <= answer.n_drafted
            assert answer.n_draft_accepted < answer.n_output
    assert 2 * n_drafted <= n_plain


def test_the_engine_counts_drafts(drafting: Engine) -> None:
    before = drafting.stats()
    answer, _ = repeat(drafting, TEXTS[0])
    after = drafting.stats()
    assert after.n_drafted - before.n_drafted == answer.n_drafted > 0
    assert after.n_draft_accepted - before.n_draft_accepted == answer.n_draft_accepted > 0
    assert len(after.n_accepted_at) == PARAMS.n_draft_max
    assert sum(after.n_accepted_at) == after.n_draft_accepted
    assert list(after.n_accepted_at) == sorted(after.n_accepted_at, reverse=True)


@pytest.mark.parametrize("options", [{"n_draft_max": 0}, {"n_draft_min": 17}])
def test_a_request_may_go_without(drafting: Engine, options: dict[str, int]) -> None:
    answer, _ = repeat(drafting, TEXTS[1], **options)
    assert answer.text == TEXTS[1]
    assert answer.n_drafted == 0


def test_a_request_gets_no_longer_drafts_than_the_engine_allows(model: Model) -> None:
    with Engine(model, PARAMS.replace(lookup_ngram_min=2, n_draft_max=2)) as engine:
        answer, n_steps = repeat(engine, TEXTS[1], n_draft_max=9)
        assert answer.n_drafted > 0
        assert 3 * n_steps >= answer.n_output
        assert len(engine.stats().n_accepted_at) == 2


def test_without_lookup_there_are_no_drafts(model: Model) -> None:
    with Engine(model, PARAMS.replace(n_draft_max=16)) as engine:
        answer, _ = repeat(engine, TEXTS[1], n_draft_max=9)
        assert answer.n_drafted == 0
