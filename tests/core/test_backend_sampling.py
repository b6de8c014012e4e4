"""llama.cpp samples beside the model: the same tokens as here, up to rounding, and no aborts."""

from __future__ import annotations

import ctypes
from typing import Any

import llama_cpp
import numpy as np
import pytest

from llamabox._core.sampler import Sampler
from llamabox.params import GenerationParams
from tests.core.faults import Decoder, Failing
from tests.core.plain_greedy import plain_greedy
from tests.core.running import ERROR, LENGTH, Core, LoadedModel

N_PREDICT = 24
SEEDED = GenerationParams(seed=11, ignore_eos=True)
ON_BACKEND: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.0, "mirostat": 2},
    {"temperature": 0.01, "min_p": 0.99},
    {"top_k": 1},
    {"top_k": 5, "top_p": 1.0, "min_p": 0.0},
    {"top_k": 500, "top_p": 0.0},
    {"top_k": 3, "samplers": ("temperature", "top_k", "min_p")},
    {"repeat_penalty": 1.5, "presence_penalty": 0.5, "frequency_penalty": 0.5},
    {"repeat_penalty": 0.5, "repeat_last_n": 1},
    {"logit_bias": ((5, 3.0), (5, -1.0), (7, -np.inf))},
]
ON_HOST: list[dict[str, Any]] = [
    {"top_k": 0},
    {"top_k": 512},
    {"top_k": 100_000},
    {"min_p": 1.0},
    {"temperature": 1e-6},
    {"min_keep": 2},
    {"typical_p": 0.5},
    {"xtc_probability": 0.5},
    {"mirostat": 1},
    {"dynatemp_range": 0.5},
    {"top_n_sigma": 1.0},
    {"dry_multiplier": 0.8},
    {"samplers": ("top_k", "adaptive_p")},
    {"samplers": ("top_k", "top_k")},
    {"samplers": ("top_k", "top_p", "temperature", "top_p")},
    {"samplers": ("top_p", "top_k")},
    {"samplers": ("top_k", "penalties"), "repeat_penalty": 1.5},
    {"samplers": ("penalties", "penalties", "top_k"), "repeat_penalty": 1.5},
    {"repeat_penalty": 1.5, "dry_multiplier": 1.0},
    {"grammar": "root ::= [a-e ]+"},
    {"logit_bias": tuple((token, -np.inf) for token in range(500))},
]


LAYOUTS = pytest.mark.parametrize("partitioned", [False, True], ids=["unified", "partitioned"])


def ids(options: dict[str, Any]) -> str:
    return "-".join(options) or "default"


def backend_core(model: LoadedModel, **options: Any) -> Core:
    return Core(model, backend_sampling=True, **options)


@pytest.mark.parametrize("options", ON_BACKEND, ids=ids)
def test_what_llama_cpp_can_sample_it_samples(tiny: LoadedModel, options: dict[str, Any]) -> None:
    params = SEEDED.replace(**options)
    with Core(tiny) as core:
        expected = core.run([1, 2, 3], N_PREDICT, params=params).tokens
    with backend_core(tiny, n_parallel=1) as core:
        tokens = core.run([1, 2, 3], N_PREDICT, params=params).tokens
        again = core.run([1, 2, 3], N_PREDICT, params=params).tokens
        assert core.scheduler.backend.n_sampled == 2 * N_PREDICT
        assert core.scheduler.backend.n_changes == 1
    assert tokens == again
    assert tokens == expected, "a chance of some millionths for each token, and always the same"


@pytest.mark.parametrize("options", ON_HOST, ids=ids)
def test_what_llama_cpp_cannot_sample_is_sampled_here(
    tiny: LoadedModel, options: dict[str, Any]
) -> None:
    params = SEEDED.replace(**options)
    with Core(tiny) as core:
        expected = core.run([1, 2, 3], N_PREDICT, params=params).tokens
    with backend_core(tiny) as core:
        assert core.run([1, 2, 3], N_PREDICT, params=params).tokens == expected
        assert core.scheduler.backend.n_sampled == 0


def test_greedy_outputs_are_those_of_plain_llama(model_of: Any) -> None:
    model = model_of("packaged")
    rng = np.random.default_rng(3)
    prompts = [model.random_prompt(rng, n) for n in (1, 5, 40, 100)]
    expected = [plain_greedy(model, prompt, N_PREDICT) for prompt in prompts]
    with backend_core(model) as core:
        results = [core.submit(prompt, N_PREDICT) for prompt in prompts]
        core.wait()
        assert core.scheduler.backend.n_sampled == sum(r.n_tokens for r in results)
    for greedy, result in zip(expected, results, strict=True):
        assert greedy.agrees(result.tokens, 0.02)


@LAYOUTS
def test_requests_of_both_kinds_share_batches(tiny: LoadedModel, partitioned: bool) -> None:
    mixed = [SEEDED.replace(seed=i, **o) for i, o in enumerate([*ON_BACKEND, *ON_HOST])]
    with Core(tiny, n_parallel=8) as core:
        expected = [core.run([i], N_PREDICT, params=p).tokens for i, p in enumerate(mixed)]
    with backend_core(
        tiny, n_ctx=256, n_parallel=8, n_sampling_threads=3, partitioned=partitioned
    ) as core:
        core.scheduler.output.wake_ns = 0
        order = np.random.default_rng(0).permutation(len(mixed) * 3) % len(mixed)
        results = [(i, core.submit([i], N_PREDICT, params=mixed[i])) for i in map(int, order)]
        core.wait()
        assert core.scheduler.backend.n_sampled == 3 * N_PREDICT * len(ON_BACKEND)
    for i, result in results:
        assert result.tokens == expected[i], mixed[i]


def test_requests_with_the_same_samplers_share_a_chain(tiny: LoadedModel) -> None:
    with backend_core(tiny, n_parallel=1) as core:
        outputs = [
            core.run([1], N_PREDICT, params=SEEDED.replace(seed=seed)).tokens
            for seed in (1, 2, 3, 1, 2, 3)
        ]
        assert core.scheduler.backend.n_changes == 1
        core.run([1], 4, params=SEEDED.replace(top_k=3))
        assert core.scheduler.backend.n_changes == 2
        core.run([1], 0, params=SEEDED.replace(mirostat=1))
        assert core.scheduler.backend.n_changes == 2, "it samples nothing"
        core.run([1], 4, params=SEEDED.replace(mirostat=1))
        core.run([1], 4, params=SEEDED.replace(mirostat=2))
        assert core.scheduler.backend.n_changes == 3
    assert outputs[:3] == outputs[3:]
    assert len({tuple(output) for output in outputs}) == 3


def test_preempted_requests_draw_on_where_they_were(tiny: LoadedModel) -> None:
    """The penalties as well: what they look back at moves with the request."""
    params = [SEEDED.replace(seed=i, repeat_penalty=1.2, top_k=20 + i % 2) for i in range(6)]
    with Core(tiny) as core:
        expected = [core.run([i] * 9, 150, params=p).tokens for i, p in enumerate(params)]
    with backend_core(tiny, n_cells=400, n_spare_bytes=1 << 20) as core:
        results = [core.submit([i] * 9, 150, params=p) for i, p in enumerate(params)]
        core.wait()
        assert core.stats()["n_preempted"] > 0
        assert core.scheduler.backend.n_sampled == 6 * 150
    assert [result.tokens for result in results] == expected


@LAYOUTS
def test_a_shared_prefix_is_sampled_by_each_ones_own_chain(
    tiny: LoadedModel, partitioned: bool
) -> None:
    prompt = list(range(60))
    with backend_core(tiny, partitioned=partitioned) as core:
        results = [
            core.submit([*prompt, i], N_PREDICT, params=SEEDED.replace(seed=i)) for i in range(8)
        ]
        core.wait()
        assert core.stats()["n_cached_tokens"] > 0
        alone = [core.run([*prompt, i], N_PREDICT, params=SEEDED.replace(seed=i)) for i in range(8)]
    assert [r.tokens for r in results] == [r.tokens for r in alone]


@LAYOUTS
def test_several_batches_to_a_forward(tiny: LoadedModel, partitioned: bool) -> None:
    prompts = [[i] * 50 for i in range(4)]
    with Core(tiny, n_ubatch=16) as core:
        expected = [core.run(p, N_PREDICT, params=SEEDED).tokens for p in prompts]
    with backend_core(tiny, n_ubatch=16, partitioned=partitioned) as core:
        results = [core.submit(p, N_PREDICT, params=SEEDED) for p in prompts]
        core.wait()
    assert [result.tokens for result in results] == expected


@pytest.mark.parametrize("kind", ["gemma3", "mamba"])
def test_other_memories(model_of: Any, kind: str) -> None:
    model = model_of(kind)
    with Core(model) as core:
        expected = [core.run([i, 2, 3], N_PREDICT).tokens for i in range(4)]
    with backend_core(model) as core:
        results = [core.submit([i, 2, 3], N_PREDICT) for i in range(4)]
        core.wait()
        assert core.scheduler.backend.n_sampled == sum(r.n_tokens for r in results)
    assert [result.tokens for result in results] == expected


def test_a_failed_forward_ends_its_requests_alone(tiny: LoadedModel) -> None:
    decoder = Failing(-3, {2})
    with backend_core(tiny, decoder=decoder) as core:
        assert core.run([1], N_PREDICT).finish == ERROR
        assert core.run([1], N_PREDICT).finish == LENGTH


@ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p)
def refuse(context: int, sequence: int, chain: int) -> bool:
    """A `llama_set_sampler` of a model that is split over devices."""
    return False


UNSUPPORTED = ctypes.create_string_buffer(b"-dist")


@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
def unsupported(sampler: int) -> int:
    """The name that `llama_sampler_name` has for a sampler whose operations a device lacks."""
    return ctypes.addressof(UNSUPPORTED)


@pytest.mark.parametrize(
    "fault",
    [{"llama_set_sampler": refuse}, {"llama_sampler_name": unsupported}],
    ids=["refused", "unsupported"],
)
def test_a_refusal_leaves_all_sampling_here(tiny: LoadedModel, fault: dict[str, Any]) -> None:
    decoder = Decoder()
    vars(decoder.binding).update(fault)
    expected = plain_greedy(tiny, [1], N_PREDICT).tokens
    with backend_core(tiny, decoder=decoder) as core:
        outputs = [core.run([1], N_PREDICT).tokens for _ in range(3)]
        assert outputs == [expected] * 3
        assert (core.scheduler.backend.n_changes, core.scheduler.backend.n_sampled) == (1, 0)
        assert not core.scheduler.backend.is_enabled


def test_samplers_are_freed_without_a_scheduler(tiny: LoadedModel) -> None:
    for options in ON_BACKEND:
        params = SEEDED.replace(**options)
        Sampler(llama_cpp, tiny.n_vocab, 64, params, vocab=tiny.vocab_address, backend=True)
