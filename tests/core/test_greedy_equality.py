"""Greedy output does not depend on company: batched, alone, and by llama.cpp itself.

Matrix kernels add in another order for another number of rows. In f32 that moves a logit by less
than a millionth; f16 and flash attention round in between, and what falls on the other side moves
a logit by up to some thousandths. A token whose lead is below that may turn over; nothing else may.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.core.conftest import ModelOf
from tests.core.plain_greedy import Greedy, plain_greedy
from tests.core.running import Core, LoadedModel

N_PREDICT = 48
ROUNDING = {"f32": 1e-4, "f16": 0.02}
KINDS = [("packaged", "f16"), ("llama", "f32"), ("llama", "f16"), ("qwen2", "f32")]


@dataclasses.dataclass
class Case:
    """A model, prompts, and what plain llama.cpp makes of them."""

    model: LoadedModel
    prompts: list[list[int]]
    expected: list[Greedy]
    rounding: float

    def check(self, outputs: list[list[int]]) -> None:
        n_equal = 0
        for expected, output in zip(self.expected, outputs, strict=True):
            assert expected.agrees(output, self.rounding)
            n_equal += expected.tokens == output
        assert n_equal >= 12, "more than an odd near-tie has turned over"


def mixed_prompts(model: LoadedModel) -> list[list[int]]:
    """Sixteen prompts of 1 to 300 tokens, four of them with a common beginning."""
    rng = np.random.default_rng(7)
    lengths = [1, 2, 3, 5, 17, 31, 32, 33, 63, 64, 65, 127, 150, 200, 256, 300]
    prompts = [model.random_prompt(rng, n) for n in lengths]
    shared = model.random_prompt(rng, 90)
    for i in (3, 7, 11, 15):
        prompts[i] = shared[: 5 * (i + 1)] + prompts[i][:40]
    return prompts


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def case(request: pytest.FixtureRequest, model_of: ModelOf) -> Case:
    model = model_of(*request.param)
    prompts = mixed_prompts(model)
    expected = [plain_greedy(model, prompt, N_PREDICT) for prompt in prompts]
    return Case(model, prompts, expected, ROUNDING[request.param[1]])


@pytest.mark.parametrize("n_parallel", [4, 8, 16])
def test_concurrent_requests_get_plain_llamas_tokens(case: Case, n_parallel: int) -> None:
    with Core(case.model, n_ctx=4096, n_parallel=n_parallel) as core:
        results = [core.submit(prompt, N_PREDICT) for prompt in case.prompts]
        core.wait()
        case.check([result.tokens for result in results])


def test_requests_one_at_a_time_get_plain_llamas_tokens(case: Case) -> None:
    with Core(case.model, n_ctx=4096) as core:
        case.check([core.run(prompt, N_PREDICT).tokens for prompt in case.prompts])


def test_flash_attention_turns_over_nothing_but_near_ties(model_of: ModelOf) -> None:
    model = model_of("packaged")
    prompts = mixed_prompts(model)
    expected = [plain_greedy(model, prompt, N_PREDICT) for prompt in prompts]
    with Core(model, n_ctx=4096, n_parallel=16, flash_attention=True) as core:
        results = [core.submit(prompt, N_PREDICT) for prompt in prompts]
        core.wait()
        Case(model, prompts, expected, ROUNDING["f16"]).check([r.tokens for r in results])
