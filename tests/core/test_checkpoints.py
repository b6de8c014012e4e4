"""Prompts start from checkpoints where a memory cannot be cut."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest

from tests.core.conftest import ModelOf
from tests.core.faults import Decoder
from tests.core.kinds import (
    ENDLESS,
    KINDS,
    N_TAIL,
    STATES,
    WINDOW,
    check_output,
    every_kind,
    every_uncut,
    in_both_layouts,
)
from tests.core.running import Core, Result


@every_kind
@in_both_layouts
@pytest.mark.parametrize("n_parallel", [1, 4])
def test_the_same_prompt_again_starts_near_its_end(
    model_of: ModelOf, name: str, n_parallel: int, partitioned: bool
) -> None:
    model = model_of(name)
    prompt = model.random_prompt(np.random.default_rng(6), 150)
    with Core(model, n_ctx=2048, n_parallel=n_parallel, partitioned=partitioned) as core:
        first, second, third = (core.run(prompt, 20, params=ENDLESS) for _ in range(3))
    n_cached = 150 - (N_TAIL if KINDS[name] == STATES else 1)
    assert [r.request.n_cached for r in (first, second, third)] == [0, n_cached, n_cached]
    for result in (first, second, third):
        check_output(model, prompt, result)


@every_uncut
@in_both_layouts
@pytest.mark.parametrize("n_parallel", [1, 4])
def test_another_last_turn_starts_from_the_end_of_the_one_before(
    model_of: ModelOf, name: str, n_parallel: int, partitioned: bool
) -> None:
    model = model_of(name)
    rng = np.random.default_rng(7)
    prompt = model.random_prompt(rng, 150)
    with Core(model, n_ctx=2048, n_parallel=n_parallel, partitioned=partitioned) as core:
        first = core.run(prompt, 60, params=ENDLESS)
        held = [*prompt, *first.tokens]
        turns = [[*held, n, *model.random_prompt(rng, 40)] for n in (5, 6, 7)]
        results = [core.run(turn, 20, params=ENDLESS) for turn in turns]
    n_cached = [result.request.n_cached for result in results]
    assert n_cached[0] == 209
    assert all(209 <= n <= 210 for n in n_cached)
    for turn, result in zip(turns, results, strict=True):
        check_output(model, turn, result)


@every_uncut
def test_conversations_that_take_turns_on_one_slot_start_from_their_last_state(
    model_of: ModelOf, name: str
) -> None:
    model = model_of(name)
    rng = np.random.default_rng(8)
    conversations = [model.random_prompt(rng, 100) for _ in range(3)]
    n_cached: list[int] = []
    with Core(model, n_ctx=1024, n_parallel=1) as core:
        for i in [0, 1, 2] * 4:
            result = core.run(conversations[i], 40, params=ENDLESS)
            check_output(model, conversations[i], result)
            conversations[i] = [*conversations[i], *result.tokens, *model.random_prompt(rng, 20)]
            n_cached.append(result.request.n_cached)
    assert n_cached == 3 * [0] + 3 * [139] + 3 * [199] + 3 * [259]


@every_uncut
def test_a_regenerated_answer_on_a_slot_that_others_had_starts_near_its_prompts_end(
    model_of: ModelOf, name: str
) -> None:
    model = model_of(name)
    rng = np.random.default_rng(9)
    prompt, other = model.random_prompt(rng, 150), model.random_prompt(rng, 100)
    with Core(model, n_ctx=1024, n_parallel=1) as core:
        first = core.run(prompt, 50, params=ENDLESS)
        core.run(other, 50, params=ENDLESS)
        again = core.run(prompt, 50, params=ENDLESS)
        assert again.request.n_cached == 150 - N_TAIL
        assert again.tokens == first.tokens
        assert core.checked_lengths() == [199]


@every_uncut
def test_the_third_prompt_after_the_same_system_text_starts_after_it(
    model_of: ModelOf, name: str
) -> None:
    model = model_of(name)
    rng = np.random.default_rng(10)
    system = model.random_prompt(rng, 120)
    prompts = [[*system, n, *model.random_prompt(rng, 200)] for n in (5, 6, 7, 8)]
    with Core(model, n_ctx=2048, n_parallel=1) as core:
        results = [core.run(prompt, 30, params=ENDLESS) for prompt in prompts]
    assert [result.request.n_cached for result in results] == [0, 0, 120, 120]
    for prompt, result in zip(prompts, results, strict=True):
        check_output(model, prompt, result)


@every_uncut
def test_a_long_prompt_has_checkpoints_on_its_way(model_of: ModelOf, name: str) -> None:
    model = model_of(name)
    rng = np.random.default_rng(11)
    prompt = model.random_prompt(rng, 450)
    with Core(model, n_ctx=2048, checkpoint_step=100) as core:
        core.run(prompt, 4, params=ENDLESS)
        assert core.stats()["n_checkpoints"] == 5
        for n_kept, n_cached in ((399, 300), (330, 300), (260, 200), (90, 0)):
            branch = [*prompt[:n_kept], 3, 4]
            result = core.run(branch, 20, params=ENDLESS)
            window_is_there = KINDS[name] == WINDOW and result.request.n_cached == n_kept
            assert window_is_there or result.request.n_cached == n_cached
            check_output(model, branch, result)


@every_uncut
def test_checkpoints_keep_to_their_ram_and_the_one_used_longest_ago_goes_first(
    model_of: ModelOf, name: str
) -> None:
    model = model_of(name)
    rng = np.random.default_rng(14)
    a, b, c, d = (model.random_prompt(rng, 100) for _ in range(4))
    with Core(model, n_ctx=1024, n_parallel=1) as core:
        n_bytes = []
        for prompt in (a, b, c):
            core.run(prompt, 1)
            n_bytes.append(core.stats()["n_checkpoint_bytes"])
        limit = (n_bytes[2] - n_bytes[1]) * 5 // 2
    with Core(model, n_ctx=1024, n_parallel=1, n_checkpoint_bytes=limit) as core:
        most = 0
        for prompt in (a, b, a, c, a, d, a):
            result = core.run(prompt, 1)
            most = max(most, core.stats()["n_checkpoint_bytes"])
            assert most <= limit
        assert result.request.n_cached == 100 - N_TAIL
        assert core.run(b, 1).request.n_cached == 0
        assert most > limit // 2


@every_uncut
def test_a_checkpoint_is_not_given_up_for_the_one_that_makes_way_for_it(
    model_of: ModelOf, name: str
) -> None:
    model = model_of(name)
    rng = np.random.default_rng(20)
    a, b = (model.random_prompt(rng, 100) for _ in range(2))
    with Core(model, n_ctx=1024, n_parallel=1) as core:
        core.run(a, 50, params=ENDLESS)
        at_prompt = core.stats()["n_checkpoint_bytes"]
        core.run(b, 50, params=ENDLESS)
        at_end = core.stats()["n_checkpoint_bytes"] - 2 * at_prompt
    limit = 2 * at_end + at_prompt
    with Core(model, n_ctx=1024, n_parallel=1, n_checkpoint_bytes=limit) as core:
        for prompt in (a, b):
            core.run(prompt, 50, params=ENDLESS)
        again = core.run(a, 50, params=ENDLESS)
        assert again.request.n_cached == 100 - N_TAIL
        check_output(model, a, again)
        assert core.stats()["n_checkpoint_bytes"] <= limit


@every_uncut
def test_no_more_checkpoints_than_asked_for(model_of: ModelOf, name: str) -> None:
    model = model_of(name)
    rng = np.random.default_rng(15)
    for n_checkpoints in (0, 3):
        with Core(model, n_ctx=1024, n_parallel=1, n_checkpoints=n_checkpoints) as core:
            for _ in range(6):
                core.run(model.random_prompt(rng, 100), 1)
            assert core.stats()["n_checkpoints"] == n_checkpoints


@every_uncut
def test_a_state_that_llama_cpp_does_not_take_back_is_computed_again(
    model_of: ModelOf, name: str
) -> None:
    model = model_of(name)
    rng = np.random.default_rng(16)
    prompt, other = model.random_prompt(rng, 150), model.random_prompt(rng, 150)
    refusing = Decoder()
    refuse = ctypes.CFUNCTYPE(
        ctypes.c_size_t,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int32,
        ctypes.c_uint32,
    )(lambda *_: 0)
    names = {**vars(refusing.binding), "llama_state_seq_set_data_ext": refuse}
    refusing.binding = SimpleNamespace(**names)
    with Core(model, n_ctx=1024, n_parallel=1, decoder=refusing) as core:
        first = core.run(prompt, 20, params=ENDLESS)
        core.run(other, 20, params=ENDLESS)
        again = core.run(prompt, 20, params=ENDLESS)
        assert again.request.n_cached == 0
        assert again.tokens == first.tokens
        assert core.checked_lengths() == [169]


@pytest.mark.parametrize("name", ["gemma3", "jamba"])
def test_a_checkpoint_is_used_in_a_step_that_copies_a_stream(model_of: ModelOf, name: str) -> None:
    model = model_of(name)
    rng = np.random.default_rng(3)
    old, common = model.random_prompt(rng, 200), model.random_prompt(rng, 60)
    prompts = [[*common, 7, 8, 9], [*old, 5, 6, 7]]
    with Core(model, n_parallel=4, n_sequences=5, partitioned=True) as core:
        core.run(old, 500, params=ENDLESS)
        core.run(common, 8, params=ENDLESS)
        requests = [core.request(prompt, 4, params=ENDLESS) for prompt in prompts]
        results = [Result(request=request) for request in requests]
        for result in results:
            result.request.consumer = result
        core.results += results
        assert core.scheduler.submit(*requests)
        core.wait()
        assert results[1].request.n_cached == 200 - N_TAIL
    for prompt, result in zip(prompts, results, strict=True):
        check_output(model, prompt, result)
