"""Every field takes its good values and refuses bad ones by its own name."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from llamabox import (
    ChoiceParams,
    Engine,
    EngineParams,
    GenerationParams,
    InvalidRequest,
    ModelParams,
)
from llamabox.params import CpuParams, RopeParams

INT_MAX = 2**31 - 1
GENERATION: dict[str, tuple[list[Any], list[Any]]] = {
    "n_predict": ([-1, 0, 1, 10**6], [-2, -100, 1.5, "1", None]),
    "n_predict_min": ([0, 1, INT_MAX], [-1, 2**31, 1.5, "1", True, None]),
    "max_predict_time": ([0, 0.5, 60], [-1, math.inf, math.nan, "1", None]),
    "n_indent": ([0, 4, INT_MAX], [-1, 2**31, 1.5, "1", None]),
    "n_keep": ([-1, 0, INT_MAX], [-2, 2**31, 1.5, "1", True, None]),
    "n_discard": ([0, 1, INT_MAX], [-1, 2**31, 1.5, "1", True, None]),
    "cache_prompt": ([True, False], [1, "no", None]),
    "n_cache_reuse": ([0, 1, INT_MAX], [-1, 2**31, 1.5, "1", True, None]),
    "stop": (
        [(), ("a",), ("a", "ab", "é😀")],
        [("",), ("a", ""), "ab", ["a"], (1,), (b"a",), ("\ud800",), None],
    ),
    "special": ([True, False], [1, "yes", None]),
    "progress": ([True, False], [1, "yes", None]),
    "n_probs": ([-1, 0, 1, 256], [-2, 257, 0.5, "1", None, True]),
    "post_sampling_probs": ([True, False], [1, "no", None]),
    "n_draft_max": ([-1, 0, 64], [-2, 65, 1.5, "1", True, None]),
    "n_draft_min": ([-1, 0, 64], [-2, 65, 1.5, "1", True, None]),
    "draft_p_min": ([-1, 0, 0.5, 1], [-1.1, 1.1, math.nan, "1", None]),
    "ignore_eos": ([True, False], [1, "no", None]),
    "priority": ([0, -3, 1000], [1001, -1001, 1.5, "1", None]),
    "deadline": ([0, 0.5, 60], [-1, math.inf, math.nan, "1", None]),
    "tokens_per_second": (
        [0, 500, 99.5, 1e6],
        [-1, -0.5, 1e-4, 1e7, math.nan, math.inf, True, "20", None],
    ),
    "rate_key": ([None, "", "a key", "k" * 1024], [7, b"key", "k" * 1025]),
    "lora": (
        [None, ()],
        [[], (0,), ((-1, 1.0),), ((True, 1.0),), ((0, math.nan),), ((0, "1"),), ((0, 1), (0, 2))],
    ),
    "slot": ([-1, 0, 3], [-2, 2**31, 1.5, "1", None]),
    "temperature": ([0, 0.0, -1.0, 0.5, 2, 100.0], [math.nan, math.inf, -math.inf, "1", None]),
    "dynatemp_range": ([0, 0.5, 3.0], [-0.1, math.nan, math.inf, "1", None]),
    "dynatemp_exponent": ([0, 0.5, 2], [-0.1, math.nan, math.inf, "1", None]),
    "top_k": ([-1, 0, 1, INT_MAX], [2**31, -(2**31) - 1, 1.5, "1", None]),
    "top_p": ([0, 0.0, 0.5, 1, 1.0], [-0.01, 1.01, math.nan, "1", None]),
    "min_p": ([0, 0.0, 0.5, 1.0], [-0.01, 1.01, math.nan, math.inf, "1", None]),
    "typical_p": ([0, 0.0, 0.5, 1, 1.0], [-0.01, 1.01, math.nan, "1", None]),
    "top_n_sigma": ([-1, 0, 0.5, 3.0], [math.nan, math.inf, "1", None]),
    "xtc_probability": ([0, 0.5, 1], [-0.01, 1.01, math.nan, "1", None]),
    "xtc_threshold": ([0, 0.1, 1], [-0.01, 1.01, math.nan, "1", None]),
    "min_keep": ([0, 1, INT_MAX], [-1, 2**31, 1.5, "1", None]),
    "repeat_last_n": ([-1, 0, 1, 10**6], [-2, 2**31, 0.5, "1", None]),
    "repeat_penalty": ([0.5, 1, 1.1, 10.0], [0, -1.0, math.nan, math.inf, 1e300, "1", None]),
    "presence_penalty": ([-2, 0.0, 2.0], [math.nan, math.inf, 1e300, "1", None]),
    "frequency_penalty": ([-2, 0.0, 2.0], [math.nan, -math.inf, 1e300, "1", None]),
    "dry_multiplier": ([0, 0.8, 5], [-0.1, math.nan, math.inf, "1", None]),
    "dry_base": ([0, 1, 1.75], [-0.1, math.nan, math.inf, "x", None]),
    "dry_allowed_length": ([0, 2, INT_MAX], [-1, 2**31, 1.5, "1", None]),
    "dry_penalty_last_n": ([-1, 0, 10**6], [-2, 2**31, 0.5, "1", None]),
    "dry_sequence_breakers": (
        [(), ("\n",), ("th", "é😀"), ("x" * 16,) * 64],
        [("",), "ab", ["a"], (1,), ("\ud800",), ("x",) * 65, ("x" * 1025,), None],
    ),
    "mirostat": ([0, 1, 2], [-1, 3, 1.0, True, "1", None]),
    "mirostat_tau": ([0, 5.0], [-0.1, math.nan, math.inf, "1", None]),
    "mirostat_eta": ([0, 0.1, 1], [-0.1, math.nan, math.inf, "1", None]),
    "adaptive_target": ([-1, 0, 0.5, 1], [1.01, math.nan, -math.inf, "1", None]),
    "adaptive_decay": ([0, 0.9, 0.99], [-0.1, 1, math.nan, "1", None]),
    "logit_bias": (
        [(), ((1, 2.5),), ((1, -math.inf), (2, 1))],
        [
            [],
            (1,),
            ((-1, 0.0),),
            ((True, 0.0),),
            ((1, math.inf),),
            ((1, math.nan),),
            ((1, "2"),),
            (("", 0.0),),
            ((1.5, 0.0),),
            ((1, 2, 3),),
            None,
        ],
    ),
    "samplers": (
        [(), ("top_k",), ("temperature", "penalties", "xtc", "adaptive_p")],
        ["top_k", ["top_k"], ("top_q",), ("",), (1,), ("top_k",) * 100, None],
    ),
    "grammar": ([None, "", "root ::= [a-z ]+"], [b"root", 3, "\ud800"]),
    "json_schema": (["", "{}"], [None, 3, "\ud800", "x" * (2**20 + 1)]),
    "regex": (["", "a+"], [None, 3, "\ud800"]),
    "constrained_after": (["", "</think>"], [None, 3, "x" * 1025]),
    "seed": ([-1, 0, 42, 2**32 - 2], [-2, 2**32 - 1, 2**64, 0.5, "1", None]),
}
ENGINE: dict[str, tuple[list[Any], list[Any]]] = {
    "n_ctx": ([0, 256, 4096], [-1, 1.5, "1", None]),
    "n_parallel": ([1, 4, 256], [0, -1, 257, 1.5, "1", None]),
    "n_batch": ([1, 2048], [0, -1, 1.5, "1", None]),
    "n_ubatch": ([1, 512], [0, -1, 1.5, "1", None]),
    "n_threads": ([None, 1, 8], [0, -1, 1.5, "1"]),
    "n_threads_batch": ([None, 1, 8], [0, -1, 1.5, "1"]),
    "cpu": ([CpuParams(), CpuParams(cpus=(0,), poll=0)], [None, 1, (0,)]),
    "cpu_batch": ([None, CpuParams(strict=True)], [1, (0,)]),
    "n_threads_sampling": ([None, 1, 8], [0, -1, 513, 1.5, "1"]),
    "kv_layout": (["auto", "unified", "partitioned"], ["", "Auto", True, 1, None]),
    "flash_attention": (["auto", "on", "off"], ["", "On", True, 1, None]),
    "cache_type_k": (["f16", "f32", "q8_0"], ["", "F16", "q3_k", True, None]),
    "cache_type_v": (["f16", "bf16", "iq4_nl"], ["", "F16", "q3_k", True, None]),
    "kv_offload": ([True, False], [1, "on", None]),
    "op_offload": ([True, False], [1, "on", None]),
    "rope": ([RopeParams(), RopeParams(rope_scaling="yarn")], [None, "yarn", 1]),
    "n_queue": ([0, 1, 10_000], [-1, 1.5, "1", None]),
    "target_itl": ([0, 0.02], [-1, math.inf, math.nan, "1", None]),
    "preempt_ram": ([0, 64], [-1, 1.5, "1", None]),
    "context_shift": ([True, False], [1, "no", None]),
    "swa_full": ([True, False], [1, "no", None]),
    "checkpoint_ram": ([0, 64], [-1, 1.5, "1", None]),
    "ctx_checkpoints": ([0, 32], [-1, 1025, 1.5, "1", None]),
    "checkpoint_min_step": ([32, 8192], [31, -1, 1.5, "1", None]),
    "cache_ram": ([0, 1024, 2**40], [-1, 1.5, "1", None, 2**41]),
    "cache_disk": ([None, "/tmp/x", "~/x"], ["", 5, True, "~no.such.user/x"]),
    "cache_disk_max": ([0, 8192], [-1, 1.5, "1", None, 2**41]),
    "cache_min_tokens": ([1, 128], [0, -1, 1.5, "1", None]),
    "backend_sampling": (["auto", "on", "off"], ["", "On", True, 1, None]),
    "lookup_ngram_min": ([0, 1, 16], [-1, 17, 1.5, "1", True, None]),
    "n_draft_max": ([0, 64], [-1, 65, 1.5, "1", None]),
    "n_draft_min": ([0, 16], [-1, 17, 65, 1.5, "1", None]),
    "draft_p_min": ([0, 0.5, 1], [-0.1, 1.1, math.nan, "1", None]),
    "n_ctx_draft": ([0, 4096], [-1, 1.5, "1", None]),
    "tokens_per_second": (
        [0, -1, 0.001, 20, 1e6],
        [-2, -0.5, 1e-4, 1e7, math.nan, math.inf, True, "-1", None],
    ),
    "lora": (
        [(), (("a.gguf", 1.0), ("b.gguf", -0.5))],
        [
            ["a"],
            "a",
            ("a.gguf",),
            (("", 1.0),),
            ((5, 1.0),),
            (("a", "1"),),
            (("a", math.inf),),
            None,
        ],
    ),
    "lora_init_without_apply": ([True, False], [1, None]),
    "control_vectors": ([(), (("a.gguf", 0.5),)], [["a"], ("a",), (("a", None),), None]),
    "control_vector_layers": (
        [None, (1, 1), (2, 9)],
        [(0, 3), (3, 2), (1,), [1, 2], (1.0, 2), (True, 2), "12", 3],
    ),
    "warmup": ([True, False], [1, "no", None]),
}
MODEL: dict[str, tuple[list[Any], list[Any]]] = {
    "n_gpu_layers": ([-1, 0, 99], [-2, 1.5, "1", None]),
    "devices": ([None, (), ("CUDA0",)], ["CUDA0", ["CUDA0"], ("",), (1,)]),
    "split_mode": (["none", "layer", "row"], ["", "Row", 1, None]),
    "main_gpu": ([0, 3], [-1, 1.5, "1", None]),
    "tensor_split": (
        [(), (3, 1.5), (0, 1)],
        [[3, 1], "3,1", 5, None, ("a",), (None,), (True,), (-1,), (math.nan,), (math.inf,), (0, 0)],
    ),
    "tensor_overrides": (
        [(), ((".*exps", "CPU"),)],
        [5, "a=b", None, [("a", "b")], (1, 2), ((1, 2),), (("", "CPU"),), (("a", "b", "c"),)],
    ),
    "kv_overrides": (
        [(), (("a", 1), ("b", 2.5), ("c", True), ("d", "x"))],
        [5, "x", None, [("a", 1)], (1, 2), ((1, 2),), ((5, 5),), (("", 5),), (("a", None),)],
    ),
    "use_mmap": ([None, True, False], [1, "no"]),
    "use_mlock": ([True, False], [1, "no", None]),
    "check_tensors": ([True, False], [5, "no", None]),
    "repack": ([True, False], [1, "no", None]),
}
CPU: dict[str, tuple[list[Any], list[Any]]] = {
    "cpus": ([(), (0, 511)], ["x", 5, None, [0], ("a",), (1.5,), (True,), (-1,), (512,)]),
    "strict": ([True, False], [1, "no", None]),
    "priority": ([-1, 3], [-2, 4, 1.5, "1", None]),
    "poll": ([0, 100], [-1, 101, 1.5, "1", None]),
}
CHOICES: dict[str, tuple[list[Any], list[Any]]] = {
    "n": ([1, 2, 128], [0, -1, 129, 1.5, "1", True, None]),
    "best_of": ([None, 1, 128], [0, -1, 129, 1.5, "1", True]),
}
TABLES = [
    (GenerationParams, GENERATION),
    (EngineParams, ENGINE),
    (ModelParams, MODEL),
    (CpuParams, CPU),
    (ChoiceParams, CHOICES),
]


def cases(i: int) -> list[Any]:
    """Of the good values (0) or the bad ones (1)."""
    return [
        pytest.param(kind, name, value, id=f"{name}-{value!r}")
        for kind, table in TABLES
        for name, values in table.items()
        for value in values[i]
    ]


@pytest.mark.parametrize(
    ("kind", "table"), TABLES, ids=lambda value: getattr(value, "__name__", "")
)
def test_every_field_has_its_values_here(kind: type, table: dict[str, Any]) -> None:
    assert [field.name for field in dataclasses.fields(kind)] == list(table)


@pytest.mark.parametrize(("kind", "name", "value"), cases(0))
def test_a_good_value_is_kept(kind: type, name: str, value: Any) -> None:
    assert getattr(kind(**{name: value}), name) == value


@pytest.mark.parametrize(("kind", "name", "value"), cases(1))
def test_a_bad_value_is_refused_by_the_fields_name(kind: type, name: str, value: Any) -> None:
    for make in (kind, getattr(kind(), "replace", kind)):
        with pytest.raises(InvalidRequest) as error:
            make(**{name: value})
        assert error.value.param == name
        assert name in str(error.value)
        assert isinstance(error.value, ValueError)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("n_draft_min", {"n_draft_min": 9, "n_draft_max": 8}),
        ("cache_disk", {"cache_disk": "/tmp/x", "cache_ram": 0}),
        ("cache_disk_max", {"cache_disk": "/tmp/x", "cache_disk_max": 0}),
    ],
)
def test_values_that_do_nothing_together_are_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as error:
        EngineParams(**options)
    assert error.value.param == name


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in GENERATION.items() for value in values[0]],
)
def test_a_good_value_generates(engine: Engine, name: str, value: Any) -> None:
    options = {"n_predict": 3, "seed": 1} | {name: value}
    if name == "n_predict" and value not in (0, 1):
        options["stop"] = ("e", "a", "t")
    assert engine.generate("hello", **options).finish_reason


def test_an_unknown_option_is_refused_before_anything_runs(engine: Engine) -> None:
    n_before = engine.stats().n_requests
    with pytest.raises(InvalidRequest, match="max_tokens"):
        engine.generate("hello", max_tokens=5)
    assert engine.stats().n_requests == n_before


@pytest.mark.parametrize("kind", [GenerationParams, EngineParams])
def test_parameters_are_frozen_values(kind: type) -> None:
    assert kind() == kind()
    assert hash(kind()) == hash(kind())
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(kind(), dataclasses.fields(kind)[0].name, 5)


def test_replace_changes_a_copy_and_checks_it() -> None:
    params = GenerationParams(temperature=0.5)
    assert params.replace(top_k=3) == GenerationParams(temperature=0.5, top_k=3)
    assert params.top_k == 40
    assert params.replace(top_k=40, temperature=params.temperature) is params
    with pytest.raises(InvalidRequest, match="top_kk"):
        params.replace(top_kk=3)


def test_replace_looks_at_fields_that_exclude_others() -> None:
    params = GenerationParams(regex="a+")
    with pytest.raises(InvalidRequest) as error:
        params.replace(grammar='root ::= "a"')
    assert error.value.param == "regex"
    assert params.replace(grammar='root ::= "a"', regex="").grammar
