"""Types of cells and scaling of positions, as the created context has them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llamabox import Engine, EngineParams, InvalidRequest, Model
from llamabox.api.context import WINDOW_ROOM, Layout, OwnedContext, context_params
from llamabox.api.fingerprint import fingerprint
from llamabox.api.layout import cell_bytes, choose_layout
from llamabox.params import CACHE_TYPES, RopeParams
from tests.api.conftest import ENDLESS, SMALL
from tests.conftest import RandomModels

UNIFIED = Layout(partitioned=False, flash_attention="on")


@pytest.fixture(scope="module")
def packaged() -> Iterator[Model]:
    """The packaged model, whose heads are as long as the blocks of quantized types."""
    with Model.load() as model:
        yield model


@contextlib.contextmanager
def context(model: Model, **changes: Any) -> Iterator[OwnedContext]:
    with contextlib.closing(OwnedContext(model, SMALL.replace(**changes), UNIFIED)) as made:
        yield made


def state_of_two(context: OwnedContext) -> bytes:
    """What the memory holds of two tokens, of which the second is at position 1."""
    context._decode_one()
    context._decode_one()
    return context._state()


def digest(model: Model, **changes: Any) -> bytes:
    changes["flash_attention"] = "on"
    with context(model, **changes) as made:
        return fingerprint(model, SMALL.replace(**changes), UNIFIED, made)


@pytest.mark.parametrize(
    ("k", "v"), [("f32", "f32"), ("bf16", "f16"), ("q8_0", "q4_0"), ("f16", "iq4_nl")]
)
def test_cells_have_the_types_that_are_asked_for(packaged: Model, k: str, v: str) -> None:
    def size(**changes: Any) -> int:
        with context(packaged, **changes) as made:
            return len(made.one_cell())

    types = {"flash_attention": "on", "cache_type_k": k, "cache_type_v": v}
    grown = size(**types) - size(flash_attention="on")
    assert grown == cell_bytes(packaged, k, v) - cell_bytes(packaged)


@pytest.mark.parametrize("kind", CACHE_TYPES)
def test_every_type_generates(packaged: Model, kind: str) -> None:
    types = {"cache_type_k": kind, "cache_type_v": kind, "flash_attention": "auto"}
    with Engine(packaged, SMALL.replace(warmup=False, **types)) as engine:
        assert engine.generate("Hello", ENDLESS, n_predict=8).n_output == 8
        assert kind in ("f32", "f16", "bf16") or engine.layout.flash_attention == "on"


def test_what_does_not_go_together_is_refused() -> None:
    for changes in (
        {"cache_type_v": "q8_0", "flash_attention": "off"},
        {"cache_type_k": "bf16", "context_shift": True},
        {"cache_type_k": "q3_k"},
    ):
        with pytest.raises(InvalidRequest):
            EngineParams(**changes)  # type: ignore[arg-type]


def test_quantized_values_leave_no_choice_of_attention(tiny_model: Model) -> None:
    for warmup in (True, False):
        params = EngineParams(n_ctx=256, cache_type_v="q8_0", warmup=warmup)
        assert choose_layout(tiny_model, params).flash_attention == "on"


@pytest.mark.parametrize(
    "changes",
    [
        {"rope_freq_base": 500.0},
        {"rope_freq_scale": 0.25},
        {"rope_scaling": "yarn", "rope_freq_scale": 0.25, "yarn_orig_ctx": 64},
        {"rope_scaling": "yarn", "rope_freq_scale": 0.25, "yarn_attn_factor": 2.0},
    ],
)
def test_scaled_positions_change_cells(tiny_model: Model, changes: dict[str, Any]) -> None:
    with context(tiny_model) as usual, context(tiny_model, rope=RopeParams(**changes)) as scaled:
        assert state_of_two(usual) != state_of_two(scaled)


def test_the_parameters_reach_llama_cpp(tiny_model: Model) -> None:
    rope = RopeParams(
        rope_scaling="yarn",
        rope_freq_base=2.0,
        rope_freq_scale=0.5,
        yarn_orig_ctx=64,
        yarn_ext_factor=0.25,
        yarn_attn_factor=1.5,
        yarn_beta_fast=16.0,
        yarn_beta_slow=2.0,
    )
    params = SMALL.replace(rope=rope, kv_offload=False, op_offload=False)
    c_params = context_params(tiny_model, params, UNIFIED)
    assert (c_params.rope_scaling_type, c_params.rope_freq_base) == (2, 2.0)
    assert (c_params.rope_freq_scale, c_params.yarn_orig_ctx) == (0.5, 64)
    assert (c_params.yarn_ext_factor, c_params.yarn_attn_factor) == (0.25, 1.5)
    assert (c_params.yarn_beta_fast, c_params.yarn_beta_slow) == (16.0, 2.0)
    assert not c_params.offload_kqv
    assert not c_params.op_offload
    usual = context_params(tiny_model, SMALL, UNIFIED)
    assert (usual.rope_scaling_type, usual.rope_freq_base) == (-1, 0.0)


@pytest.mark.parametrize(
    ("names", "n_parts"),
    [
        (["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"], 2),
        (["m-00001-of-00002.GGUF", "m-00002-of-00002.GGUF"], 2),
        (["m-00003-of-00002.gguf", "m-00001-of-00002.gguf"], 1),
        (["m-00001-of-00000.gguf", "m.gguf"], 1),
    ],
)
def test_saved_cells_are_of_all_parts(
    tiny_path: Path, tmp_path: Path, names: list[str], n_parts: int
) -> None:
    paths = [tmp_path / name for name in names]
    for path in paths:
        path.write_bytes(tiny_path.read_bytes())
    with Model.load(paths[0]) as model:
        before = digest(model)
        paths[1].write_bytes(b"another part")
        assert (digest(model) != before) == (n_parts == 2)


def test_a_sliding_window_leaves_room_for_prompts_beside_all_slots(
    random_models: RandomModels,
) -> None:
    params = SMALL.replace(n_parallel=8, n_batch=8, n_ubatch=4)
    for kind, n_rows in (("gemma3", 8 + WINDOW_ROOM), ("llama", 4)):
        with Model.load(random_models(kind)) as model:
            c_params = context_params(model, params, UNIFIED)
            assert c_params.n_ubatch == n_rows
            assert c_params.n_batch == max(8, n_rows)


def test_saved_cells_are_of_one_setting(tiny_model: Model) -> None:
    usual = digest(tiny_model)
    assert usual == digest(tiny_model)
    for changes in (
        {"cache_type_k": "bf16"},
        {"cache_type_v": "f32"},
        {"rope": RopeParams(rope_freq_base=500.0)},
        {"rope": RopeParams(yarn_beta_fast=16.0)},
    ):
        assert digest(tiny_model, **changes) != usual


def test_a_draft_model_keeps_its_own_cells(tiny_model: Model) -> None:
    params = SMALL.replace(cache_type_k="f32", rope=RopeParams(rope_freq_scale=0.5))
    with Engine(tiny_model, params, draft_model=tiny_model) as engine:
        assert engine.generate("Hello", ENDLESS).n_output == 32
