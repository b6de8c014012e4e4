"""Steps of requests with different sets of LoRA adapters, under everything that may happen."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import llama_cpp
import numpy as np
import pytest

from llamabox._core.adapters import AdapterSet
from llamabox.params import GenerationParams
from tests.core.faults import Failing
from tests.core.kinds import in_both_layouts
from tests.core.running import CANCELLED, EOG, ERROR, GREEDY, LENGTH, STOP, Core, LoadedModel
from tests.models.lora import write_adapter

ENDLESS = GREEDY.replace(ignore_eos=True)
OPTIONS = {"has_adapters": True, "f32_cells": True}
Sets = tuple[AdapterSet | None, ...]


@pytest.fixture(scope="module", name="sets")
def adapter_sets(tmp_path_factory: pytest.TempPathFactory, tiny: LoadedModel) -> Iterator[Sets]:
    """No adapters, one, another, both."""
    folder = tmp_path_factory.mktemp("adapters")
    files = [write_adapter(folder / f"{i}.gguf", i) for i in (1, 2)]
    loaded = [llama_cpp.llama_adapter_lora_init(tiny.address, bytes(path)) for path in files]
    first, second = (ctypes.cast(adapter, ctypes.c_void_p).value or 0 for adapter in loaded)
    yield (
        None,
        AdapterSet(11, [(first, 1.0)]),
        AdapterSet(5, [(second, 1.0)]),
        AdapterSet(7, [(first, 0.5), (second, 0.5)]),
    )
    for adapter in loaded:
        llama_cpp.llama_adapter_lora_free(adapter)


def test_a_set_is_not_empty() -> None:
    for key, adapters in ((0, [(1, 1.0)]), (1, [])):
        with pytest.raises(ValueError, match="none"):
            AdapterSet(key, adapters)


@in_both_layouts
def test_drafts_and_shifts_give_each_set_what_it_gets_alone(
    tiny: LoadedModel, sets: Sets, partitioned: bool
) -> None:
    """The lookup drafts what has come before, in the turns of the set alone."""
    rng = np.random.default_rng(81)
    prompts = [tiny.random_prompt(rng, 8) * 6 for _ in range(4)]
    asked = [(prompt, used) for prompt in prompts for used in sets]
    options = {**OPTIONS, "partitioned": partitioned, "n_draft_rows": 16, "ngram_min": 2}
    shifting = {"n_ctx": 96, "context_shift": True, "n_keep": 4, "params": ENDLESS}
    alone, together = [], []
    with Core(tiny, n_ctx=1024, **options) as core:
        for prompt, used in asked:
            alone.append(core.run(prompt, 120, adapters=used, n_draft_max=4, **shifting).tokens)
    with Core(tiny, n_ctx=1024, **options) as core:
        for prompt, used in asked:
            core.submit(prompt, 120, adapters=used, n_draft_max=4, **shifting)
        core.wait()
        together = [result.tokens for result in core.results]
        stats = core.stats()
        core.checked_lengths()
    assert together == alone
    assert len({tuple(tokens) for tokens in alone[:4]}) == 4
    assert stats["n_shifts"] > 0
    assert stats["n_drafted"] > 0


@in_both_layouts
@pytest.mark.parametrize("n_spare_bytes", [0, 64 << 20])
def test_random_requests_of_all_sets_end_and_the_books_are_right(
    tiny: LoadedModel, sets: Sets, partitioned: bool, n_spare_bytes: int
) -> None:
    rng = np.random.default_rng(82)
    options = {
        **OPTIONS,
        "n_batch": 64,
        "n_ubatch": 32,
        "n_spare_bytes": n_spare_bytes,
        "partitioned": partitioned,
        "n_draft_rows": 8,
        "ngram_min": 2,
    }
    with Core(tiny, n_ctx=256, **options) as core:
        for i in range(200):
            shared = list(range(int(rng.integers(0, 60))))
            result = core.submit(
                [*shared, *rng.integers(0, 500, int(rng.choice([1, 5, 20])))],
                int(rng.choice([0, 1, 20, 120])),
                params=GenerationParams(
                    seed=i,
                    temperature=float(rng.choice([0, 1.0])),
                    ignore_eos=bool(rng.random() < 0.7),
                ),
                stops=[b"th", b"e"] if rng.random() < 0.1 else [],
                n_ctx=int(rng.choice([96, 128, 256])),
                context_shift=bool(rng.random() < 0.5),
                n_keep=int(rng.choice([0, 3, 40])),
                n_draft_max=int(rng.choice([0, 4])),
                n_predict_min=int(rng.choice([0, 10])),
                n_indent=int(rng.choice([0, 0, 2])),
                slot=int(rng.integers(-1, 4)),
                progress=bool(rng.random() < 0.5),
                adapters=sets[int(rng.integers(0, len(sets)))],
            )
            if rng.random() < 0.1:
                result.request.cancel()
        core.wait()
        stats = core.stats()
        core.checked_lengths()
        assert {result.finish for result in core.results} <= {EOG, STOP, LENGTH, CANCELLED}
        assert all(r.tokens == r.streamed for r in core.results)
    assert stats["n_output_tokens"] == sum(r.n_tokens for r in core.results)
    assert stats["n_preempted"] > 0 or partitioned


@pytest.mark.parametrize("code", [1, -3])
def test_failures_of_one_set_leave_the_others_right(
    tiny: LoadedModel, sets: Sets, code: int
) -> None:
    rng = np.random.default_rng(83)
    failing = Failing(code, {int(i) for i in rng.integers(0, 300, 30)})
    with Core(tiny, n_ctx=256, decoder=failing, **OPTIONS) as core:
        for i in range(40):
            core.submit(
                tiny.random_prompt(rng, int(rng.integers(1, 60))),
                int(rng.integers(1, 60)),
                params=ENDLESS,
                adapters=sets[i % len(sets)],
            )
        core.wait()
        assert all(result.finish in (LENGTH, ERROR) for result in core.results)
        assert core.checked_cells() == core.stats()["n_cells_used"]
