"""The layout of a context: what is asked for is obeyed, what is left open is decided on grounds."""

from __future__ import annotations

from pathlib import Path

import llama_cpp
import pytest

from llamabox import Engine, EngineParams, InvalidRequest, Model, ModelParams
from llamabox.api import layout as layouts
from llamabox.api.context import Layout, new_context
from llamabox.api.layout import cell_bytes, choose_layout
from llamabox.api.trial import Trial
from tests.api.conftest import ENDLESS, SMALL
from tests.conftest import RandomModels

OPEN = SMALL.replace(kv_layout="auto", flash_attention="auto")


def fake_trials(monkeypatch: pytest.MonkeyPatch, seconds: dict[tuple[bool, str], float]) -> None:
    """Let trials end with these figures."""
    made: dict[int, float] = {}
    start = Trial.__init__

    def init(self: Trial, model: Model, params: EngineParams, layout: Layout, *sizes: int) -> None:
        start(self, model, params, layout, *sizes)
        made[id(self)] = seconds[layout.partitioned, layout.flash_attention]

    monkeypatch.setattr(Trial, "__init__", init)
    monkeypatch.setattr(Trial, "row_seconds", lambda self: 1e-9)
    monkeypatch.setattr(Trial, "session_seconds", property(lambda self: made[id(self)]))


@pytest.mark.parametrize("kv_layout", ["unified", "partitioned"])
@pytest.mark.parametrize("flash_attention", ["on", "off"])
def test_what_is_asked_for_is_what_runs(
    tiny_model: Model, kv_layout: str, flash_attention: str
) -> None:
    params = SMALL.replace(kv_layout=kv_layout, flash_attention=flash_attention)
    with Engine(tiny_model, params) as engine:
        assert engine.layout == Layout(kv_layout == "partitioned", flash_attention)
        assert engine.layout.kv_layout == kv_layout
        assert engine.n_ctx == 1024
        n_pools = 5 if kv_layout == "partitioned" else 1
        assert engine.stats().n_cells == n_pools * 1024


def test_both_layouts_give_the_same_output(tiny_model: Model) -> None:
    texts = []
    for kv_layout in ("unified", "partitioned"):
        params = SMALL.replace(kv_layout=kv_layout, flash_attention="off")
        with Engine(tiny_model, params) as engine:
            texts.append([engine.generate(text, ENDLESS).text for text in ("one", "other", "one")])
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({(False, "on"): 4, (False, "off"): 3, (True, "on"): 2, (True, "off"): 1}, (True, "off")),
        ({(False, "on"): 4, (False, "off"): 3, (True, "on"): 1, (True, "off"): 2}, (True, "on")),
        ({(False, "on"): 2, (False, "off"): 1, (True, "on"): 3, (True, "off"): 4}, (False, "off")),
        (
            {(False, "on"): 1, (False, "off"): 2, (True, "on"): 0.97, (True, "off"): 4},
            (False, "on"),
        ),
    ],
)
def test_the_faster_layout_is_taken_and_the_unified_one_where_both_are_about_as_fast(
    tiny_model: Model,
    monkeypatch: pytest.MonkeyPatch,
    seconds: dict[tuple[bool, str], float],
    expected: tuple[bool, str],
) -> None:
    fake_trials(monkeypatch, seconds)
    assert choose_layout(tiny_model, OPEN) == Layout(*expected)


def test_a_trial_ends_with_a_layout_that_works(tiny_model: Model) -> None:
    with Engine(tiny_model, OPEN) as engine:
        assert engine.layout.flash_attention in ("on", "off")
        assert len(engine.generate("text", ENDLESS).tokens) == 32


def test_without_the_memory_for_partitions_the_pool_is_unified(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_bytes = cell_bytes(tiny_model) * OPEN.n_ctx * (OPEN.n_parallel + 1)
    seconds = {(False, "on"): 9, (False, "off"): 8, (True, "on"): 2, (True, "off"): 1}
    fake_trials(monkeypatch, seconds)
    monkeypatch.setattr(layouts, "memory_at_hand", lambda: 4 * n_bytes)
    assert choose_layout(tiny_model, OPEN).partitioned
    monkeypatch.setattr(layouts, "memory_at_hand", lambda: 4 * n_bytes - 4)
    assert not choose_layout(tiny_model, OPEN).partitioned


def test_what_is_too_slow_to_try_is_partitioned_as_memory_allows(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trial, "row_seconds", lambda self: 1.0)
    assert choose_layout(tiny_model, OPEN) == Layout(True, "auto")
    monkeypatch.setattr(layouts, "memory_at_hand", lambda: 0)
    assert choose_layout(tiny_model, OPEN) == Layout(False, "auto")


def test_without_warm_up_nothing_is_tried(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trial, "__init__", None)
    assert choose_layout(tiny_model, OPEN.replace(warmup=False)) == Layout(True, "auto")


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma3", "jamba"])
def test_the_size_of_a_cell_is_what_a_sequences_state_grows_by(
    random_models: RandomModels, architecture: str
) -> None:
    with Model.load(random_models(architecture)) as model:
        context = new_context(model, SMALL, Layout(False, "on"))
        sizes = []
        for n in (2, 4):
            tokens = (llama_cpp.llama_token * n)(*range(n))
            llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, n))
            sizes.append(llama_cpp.llama_state_seq_get_size(context, 0))
        llama_cpp.llama_free(context)
        growth = (sizes[1] - sizes[0]) / 4
        assert 0 <= growth - cell_bytes(model) <= 32


@pytest.mark.parametrize("instead", ["abc", "", True, 0.5])
def test_a_length_is_not_replaced_by_what_is_no_number(
    tiny_path: Path, tiny_model: Model, instead: str | bool | float
) -> None:
    """Neither does llama.cpp."""
    params = ModelParams(kv_overrides=(("llama.attention.key_length", instead),))
    with Model.load(tiny_path, params) as model:
        assert cell_bytes(model) == cell_bytes(tiny_model)


@pytest.mark.parametrize("architecture", ["mamba", "gemma3"])
def test_other_memories_get_a_layout_that_works(
    random_models: RandomModels, architecture: str
) -> None:
    with Engine(random_models(architecture), OPEN) as engine:
        assert len(engine.generate("text", ENDLESS).tokens) == 32


@pytest.mark.parametrize("kv_layout", ["unified", "partitioned"])
def test_more_cells_than_can_be_counted_are_refused(tiny_model: Model, kv_layout: str) -> None:
    n_ctx = 2**31 - 1 if kv_layout == "unified" else 2**30
    with pytest.raises(InvalidRequest, match="cells") as refused:
        Engine(tiny_model, SMALL.replace(n_ctx=n_ctx, n_parallel=3, kv_layout=kv_layout))
    assert refused.value.param == "n_ctx"


def test_what_cannot_be_counted_is_not_partitioned(random_models: RandomModels) -> None:
    with Model.load(random_models("mamba")) as model:
        params = OPEN.replace(n_ctx=2**30, n_parallel=3)
        assert not choose_layout(model, params).partitioned


def test_a_hybrid_is_partitioned_only_as_memory_allows(
    random_models: RandomModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Model.load(random_models("jamba")) as model:
        monkeypatch.setattr(layouts, "memory_at_hand", lambda: 0)
        assert not choose_layout(model, OPEN).partitioned


def test_a_second_trial_that_is_hardly_longer_than_the_first_is_left_out(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {(False, "on"): 9, (False, "off"): 8, (True, "on"): 2, (True, "off"): 1}
    fake_trials(monkeypatch, seconds)
    monkeypatch.setattr(Trial, "row_seconds", lambda self: 0.5 / (128 + 3 * (64 + 4)))
    assert choose_layout(tiny_model, OPEN.replace(n_ctx=8 * 262, n_parallel=4)) == Layout(
        True, "off"
    )
