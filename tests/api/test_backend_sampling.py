"""An engine whose tokens llama.cpp samples beside the model, here on the CPU."""

from __future__ import annotations

import concurrent.futures
import ctypes
import threading
from collections.abc import Callable, Iterator
from typing import Any

import llama_cpp
import pytest

from llamabox import Engine, EngineParams, GenerationParams, Model, ModelLoadError
from llamabox._core.backend import Backend
from llamabox._core.log import filter_log
from llamabox.api import model as model_module
from tests.api.conftest import SMALL

PROMPTS = [f"prompt {i}" for i in range(12)]
SAMPLING = [
    GenerationParams(temperature=0, n_predict=24),
    GenerationParams(seed=3, n_predict=24),
    GenerationParams(seed=4, n_predict=24, top_k=7, repeat_penalty=1.2),
    GenerationParams(seed=5, n_predict=24, mirostat=2),
    GenerationParams(seed=6, n_predict=24, grammar="root ::= [a-z ]+"),
]


def backend_of(engine: Engine) -> Backend:
    backend: Backend = engine._scheduler.backend
    return backend


def texts_of(engine: Engine) -> list[str]:
    with concurrent.futures.ThreadPoolExecutor(len(PROMPTS)) as threads:
        requests = [(prompt, SAMPLING[i % len(SAMPLING)]) for i, prompt in enumerate(PROMPTS)]
        return [c.text for c in threads.map(lambda r: engine.generate(*r), requests)]


def with_sampling(where: str, **options: Any) -> EngineParams:
    return EngineParams(
        n_ctx=1024,
        n_parallel=4,
        n_threads=1,
        backend_sampling=where,
        flash_attention="off",
        **options,
    )


def test_the_texts_are_those_of_sampling_on_the_host(tiny_model: Model) -> None:
    with Engine(tiny_model, with_sampling("off")) as engine:
        expected = texts_of(engine)
        assert backend_of(engine).n_sampled == 0
    with Engine(tiny_model, with_sampling("on")) as engine:
        assert texts_of(engine) == expected
        assert texts_of(engine) == expected
        assert backend_of(engine).n_sampled > 0


def test_probabilities_are_asked_of_the_host(tiny_model: Model) -> None:
    with Engine(tiny_model, with_sampling("on")) as engine:
        completion = engine.generate("x", n_predict=4, temperature=0, n_probs=2)
        assert completion.logprobs
        assert backend_of(engine).n_sampled == 0


def test_auto_leaves_it_to_the_host_without_a_gpu(tiny_model: Model) -> None:
    if tiny_model.uses_gpu:
        pytest.skip("there is a GPU")
    with Engine(tiny_model, with_sampling("auto")) as engine:
        engine.generate("x", n_predict=4)
        assert not backend_of(engine).is_enabled


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_cpp, "llama_supports_gpu_offload", lambda: True)
    monkeypatch.setattr(model_module, "has_gpu", lambda: True)


@pytest.mark.usefixtures("gpu")
def test_auto_uses_it_with_a_gpu_that_has_all_layers(tiny_model: Model) -> None:
    with Engine(tiny_model, with_sampling("auto")) as engine:
        engine.generate("x", n_predict=4, ignore_eos=True)
        assert backend_of(engine).n_sampled == 4


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(("n_layers", "uses_gpu"), [(-1, True), (0, False), (1, False), (99, True)])
def test_the_output_layer_decides(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch, n_layers: int, uses_gpu: bool
) -> None:
    monkeypatch.setattr(tiny_model.weights, "n_gpu_layers", n_layers)
    assert tiny_model.uses_gpu == uses_gpu


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device on which the samplers' graphs do not fit."""
    make: Callable[..., Any] = llama_cpp.llama_init_from_model
    monkeypatch.setattr(
        llama_cpp,
        "llama_init_from_model",
        lambda model, params: None if params.n_samplers else make(model, params),
    )


@pytest.mark.usefixtures("no_room", "gpu")
def test_what_does_not_fit_is_an_error_or_stays_on_the_host(tiny_model: Model) -> None:
    with pytest.raises(ModelLoadError):
        Engine(tiny_model, with_sampling("on"))
    with Engine(tiny_model, with_sampling("auto")) as engine:
        assert engine.generate("x", n_predict=4).text
        assert not backend_of(engine).is_enabled


@pytest.fixture
def logged() -> Iterator[list[tuple[int, str]]]:
    """(level, thread) of what llama.cpp logs, behind the filter."""
    lines: list[tuple[int, str]] = []

    @llama_cpp.llama_log_callback
    def log(level: int, text: bytes, data: object) -> None:
        lines.append((level, threading.current_thread().name))

    before, data = llama_cpp.llama_log_callback(), ctypes.c_void_p()
    llama_cpp.llama_log_get(ctypes.byref(before), ctypes.byref(data))
    llama_cpp.llama_log_set(log, None)
    filter_log(llama_cpp)
    yield lines
    llama_cpp.llama_log_set(before, data)


def test_new_graphs_take_no_gil_to_log(tiny_model: Model, logged: list[tuple[int, str]]) -> None:
    with Engine(tiny_model, SMALL) as engine:
        engine.generate("x", n_predict=4)
    with Engine(tiny_model, with_sampling("on", warmup=False)) as engine:
        logged.clear()
        for params in SAMPLING:
            engine.generate("x", params)
        assert backend_of(engine).n_changes > 3
        assert logged == []
