"""What events tell of probabilities: exact, and one entry for each token, however it comes."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence

import llama_cpp
import numpy as np
import numpy.typing as npt
import pytest

from llamabox import GenerationParams
from tests.core.common_sampler import CommonSampler
from tests.core.conftest import ModelOf
from tests.core.faults import Gated
from tests.core.running import CANCELLED, GREEDY, LENGTH, STOP, Core, LoadedModel, eventually

Rows = npt.NDArray[np.float32]
Entries = Sequence[Sequence[tuple[int, float]]]
ENDLESS = GREEDY.replace(ignore_eos=True)
HOT = GenerationParams(temperature=1.3, top_k=0, top_p=1, min_p=0, ignore_eos=True, seed=5)
CHAIN = GenerationParams(temperature=1.1, top_k=30, top_p=0.8, min_p=0.02, seed=6)


def plain_logits(model: LoadedModel, prompt: Sequence[int], output: Sequence[int]) -> Rows:
    """llama.cpp's own logits before each token of an output [n_output, n_vocab]."""
    known = [*prompt, *output]
    context = model.new_context(len(known) + 1, 1, len(known) + 1, 512)
    rows = np.empty((len(output), model.n_vocab), np.float32)
    for i in range(len(output)):
        batch = known[: len(prompt)] if i == 0 else [known[len(prompt) + i - 1]]
        tokens = (ctypes.c_int32 * len(batch))(*batch)
        code = llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, len(batch)))
        assert code == 0
        logits = llama_cpp.llama_get_logits_ith(context, -1)
        rows[i] = np.ctypeslib.as_array(logits, (model.n_vocab,))
    llama_cpp.llama_free(context)
    return rows


def log_softmax(rows: Rows) -> npt.NDArray[np.float64]:
    exact = rows.astype(np.float64) - rows.max(axis=1, keepdims=True)
    exact -= np.log(np.exp(exact).sum(axis=1, keepdims=True))
    return exact


def assert_same(mine: Entries, theirs: Entries) -> None:
    """A prompt that is computed and one that is reused differ by rounding."""
    for left, right in zip(mine, theirs, strict=True):
        assert [token for token, _ in left] == [token for token, _ in right]
        assert [p for _, p in left] == pytest.approx([p for _, p in right], abs=1e-4)


@pytest.mark.parametrize("params", [ENDLESS, HOT, CHAIN], ids=["greedy", "hot", "chain"])
@pytest.mark.parametrize("n_probs", [0, 1, 5])
def test_they_are_the_log_softmax_of_llamas_logits(
    tiny: LoadedModel, params: GenerationParams, n_probs: int
) -> None:
    prompt = tiny.random_prompt(np.random.default_rng(1), 40)
    with Core(tiny) as core:
        result = core.run(prompt, 32, params=params, n_probs=n_probs)
    exact = log_softmax(plain_logits(tiny, prompt, result.tokens))
    assert [entry[0][0] for entry in result.probs] == result.tokens
    for (sampled, *best), row in zip(result.probs, exact, strict=True):
        assert sampled[1] == pytest.approx(row[sampled[0]], abs=1e-4)
        assert len(best) == n_probs
        assert [p for _, p in best] == sorted((p for _, p in best), reverse=True)
        # The model's f32 logits are exact up to rounding, so near ties may change places.
        expected = np.sort(row)[::-1][:n_probs]
        assert [p for _, p in best] == pytest.approx(expected.tolist(), abs=1e-4)
        assert [p for _, p in best] == pytest.approx([row[t] for t, _ in best], abs=1e-4)
        assert len({token for token, _ in best}) == n_probs


def test_no_more_than_the_vocabulary_is_told(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        result = core.run([1, 2, 3], 4, params=ENDLESS, n_probs=10**6)
    for _, *best in result.probs:
        assert sorted(token for token, _ in best) == list(range(tiny.n_vocab))
        assert sum(math.exp(p) for _, p in best) == pytest.approx(1, abs=1e-4)


def test_nobody_is_told_who_does_not_ask(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        asking = core.submit([1, 2, 3], 8, params=ENDLESS, n_probs=2)
        other = core.submit([1, 2, 4], 8, params=ENDLESS)
        core.wait()
    assert (len(asking.probs), len(other.probs)) == (8, 0)


@pytest.mark.parametrize(
    "params",
    [CHAIN, HOT, CHAIN.replace(mirostat=2), GREEDY],
    ids=["chain", "hot", "mirostat", "greedy"],
)
def test_after_the_samplers_they_are_those_of_llamas_chain(
    tiny: LoadedModel, params: GenerationParams
) -> None:
    params = params.replace(ignore_eos=False)
    prompt = tiny.random_prompt(np.random.default_rng(2), 20)
    with Core(tiny) as core:
        result = core.run(prompt, 24, params=params, n_probs=8, post_sampling=True)
    reference = CommonSampler(params, n_vocab=tiny.n_vocab, n_ctx=core.n_cells)
    for token in prompt:
        reference.accept(token, is_generated=False)
    rows = plain_logits(tiny, prompt, result.tokens)
    for (sampled, *best), row in zip(result.probs, rows, strict=True):
        chosen = reference.sample(row)
        reference.accept(chosen.selected)
        assert sampled[0] == chosen.selected
        assert [p for _, p in best] == sorted((p for _, p in best), reverse=True)
        assert 0 < sum(p for _, p in best) <= 1 + 1e-5
        if params.temperature > 0:
            expected = chosen.probabilities()
            assert sampled[1] == pytest.approx(expected[sampled[0]], abs=1e-4)
            assert len(best) == min(8, len(expected))
            for token, p in best:
                assert p == pytest.approx(expected[token], abs=1e-4)
        else:
            assert best == [sampled] == [(sampled[0], 1.0)]
    reference.close()


def test_text_that_is_held_back_loses_and_repeats_none(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        free = core.run([1, 2, 3], 40, params=ENDLESS, n_probs=3)
        # The first bytes of the stop string come again and again; its end never does.
        never = [piece[:1] + b"\xff\xff" for piece in {tiny.vocab.piece(t) for t in free.tokens}]
        held = core.run([1, 2, 3], 40, params=ENDLESS, n_probs=3, stops=never)
        start = free.text.index(tiny.vocab.piece(free.tokens[20]))
        stopped = core.run(
            [1, 2, 3], 40, params=ENDLESS, n_probs=3, stops=[free.text[start : start + 6]]
        )
    assert held.n_events < free.n_events
    assert (held.tokens, held.text) == (free.tokens, free.text)
    assert_same(held.probs, free.probs)
    assert stopped.finish == STOP
    assert 0 < len(stopped.tokens) < 40
    assert_same(stopped.probs, free.probs[: len(stopped.tokens)])


def test_split_characters_lose_and_repeat_none(model_of: ModelOf) -> None:
    model = model_of("packaged")
    split = [t for t in range(model.n_vocab) if len(model.vocab.piece(t)) == 1]
    split = [t for t in split if model.vocab.piece(t)[0] >= 0x80]
    assert split, "the vocabulary has bytes of characters"
    params = HOT.replace(logit_bias=tuple((token, 20.0) for token in split))
    with Core(model) as core:
        result = core.run([5, 6, 7], 60, params=params, n_probs=2)
    assert result.n_events < 60
    assert [entry[0][0] for entry in result.probs] == result.tokens


def test_a_reader_that_comes_late_gets_every_entry_once(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        prompt = np.arange(30)
        punctual = core.run(prompt, 50, params=HOT, n_probs=4)
        late = core.submit(prompt, 50, params=HOT, n_probs=4)
        others = [core.submit([n, 5, 9], 50, params=HOT, n_probs=n) for n in range(3)]
        core.stats()  # waits until all have ended, and takes no event
        core.drain()
    assert late.tokens == punctual.tokens
    assert_same(late.probs, punctual.probs)
    for n, other in enumerate(others):
        assert [entry[0][0] for entry in other.probs] == other.tokens
        assert {len(entry) for entry in other.probs} == {1 + n}


def test_preemption_loses_and_repeats_none(tiny: LoadedModel) -> None:
    with Core(tiny, n_ctx=256, n_parallel=4, n_spare_bytes=0) as core:
        results = [
            core.submit([n, *range(20)], 150, params=ENDLESS, n_probs=2) for n in (40, 41, 42, 43)
        ]
        core.wait()
        assert core.stats()["n_preempted"] > 0
    for n, result in zip((40, 41, 42, 43), results, strict=True):
        assert result.finish == LENGTH
        assert [entry[0][0] for entry in result.probs] == result.tokens
        exact = log_softmax(plain_logits(tiny, [n, *range(20)], result.tokens))
        found = [entry[0][1] for entry in result.probs]
        # What is computed again in larger batches is rounded to f16 again.
        assert found == pytest.approx(exact[range(150), result.tokens].tolist(), abs=1e-3)


def test_a_cancelled_request_tells_of_the_tokens_it_has(tiny: LoadedModel) -> None:
    with Core(tiny, n_ctx=4096) as core:
        result = core.submit([1, 2, 3], -1, params=ENDLESS, n_probs=1)

        def has_output() -> bool:
            core.drain()
            return result.n_tokens > 3

        eventually(has_output, "some tokens come")
        result.request.cancel()
        core.wait()
    assert result.finish == CANCELLED
    assert [entry[0][0] for entry in result.probs] == result.tokens


@pytest.mark.parametrize("partitioned", [False, True], ids=["unified", "partitioned"])
@pytest.mark.parametrize("n_prompt", [2, 6, 20, 33, 200])
@pytest.mark.parametrize("n", [2, 8, 20])
def test_requests_of_one_prompt_compute_it_once(
    tiny: LoadedModel, n: int, n_prompt: int, partitioned: bool
) -> None:
    prompt = tiny.random_prompt(np.random.default_rng(3), n_prompt)
    gate = Gated()
    with Core(tiny, n_ctx=4096, n_parallel=8, decoder=gate, partitioned=partitioned) as core:
        first = core.submit([5], 1)
        gate.entered.wait()
        results = core.submit_alike(prompt, n, n_predict=12, params=ENDLESS)
        gate.open()
        core.wait()
        stats = core.stats()
        alone = core.run(prompt, 12, params=ENDLESS)
    assert first.finish
    n_cached = [result.request.n_cached for result in results]
    assert stats["n_prompt_tokens"] == 1 + sum(n_prompt - cached for cached in n_cached)
    # Those that get a slot save this much by one step of waiting; those that queue find the prompt
    # there. A partitioned memory does not share less than 32 tokens.
    if partitioned and n_prompt <= 32:
        assert n_cached == n * [0]
    elif (min(n, 8) - 1) * (n_prompt - 1) >= 32:
        assert n_cached == [0] + (n - 1) * [n_prompt - 1]
    else:
        assert n_cached == min(n, 8) * [0] + (n - min(n, 8)) * [n_prompt - 1]
    assert {tuple(result.tokens) for result in results} == {tuple(alone.tokens)}
