"""Where compute threads run, with which priority, and that nothing of it is left behind."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from llamabox import Engine, EngineParams, InvalidRequest, Model
from llamabox.params import CpuParams
from tests.api.conftest import ENDLESS, SMALL

CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
pytestmark = pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs and their masks")
HERE = Path("/proc/self/task")


def cpus_of(thread: int) -> set[int]:
    """CPUs that a thread of this process may run on."""
    return set(os.sched_getaffinity(thread))


def threads() -> set[int]:
    return {int(path.name) for path in HERE.iterdir()}


def step_thread() -> int:
    """That of the engine which was opened last."""
    thread = [each for each in threading.enumerate() if each.name == "llamabox-step"][-1]
    assert thread.native_id is not None
    return thread.native_id


def observed(model: Model, params: EngineParams, look: Callable[[set[int]], None]) -> None:
    """Look at the threads that an engine has added, once it has computed."""
    before = threads()
    with Engine(model, params) as engine:
        text = engine.generate("Hello", ENDLESS).text
        look(threads() - before)
    with Engine(model, params.replace(cpu=CpuParams(), cpu_batch=None)) as engine:
        assert engine.generate("Hello", ENDLESS).text == text


@pytest.mark.parametrize("n_threads", [1, 2])
def test_compute_threads_stay_on_their_cpus(tiny_model: Model, n_threads: int) -> None:
    params = SMALL.replace(n_threads=n_threads, cpu=CpuParams(cpus=(CPUS[1],)))

    def look(added: set[int]) -> None:
        assert cpus_of(step_thread()) == {CPUS[1]}
        bound = [thread for thread in added if cpus_of(thread) == {CPUS[1]}]
        assert len(bound) >= n_threads

    observed(tiny_model, params, look)
    assert cpus_of(0) == set(CPUS)


def test_strict_threads_have_a_cpu_each(tiny_model: Model) -> None:
    cpu = CpuParams(cpus=tuple(CPUS[:2]), strict=True)

    def look(added: set[int]) -> None:
        found = [cpus_of(thread) for thread in added]
        assert {CPUS[0]} in found
        assert {CPUS[1]} in found

    observed(tiny_model, SMALL.replace(n_threads=2, cpu=cpu), look)


def test_batches_have_cpus_of_their_own(tiny_model: Model) -> None:
    params = SMALL.replace(
        n_threads=2,
        cpu=CpuParams(cpus=(CPUS[0],)),
        cpu_batch=CpuParams(cpus=(CPUS[1],)),
    )
    with Engine(tiny_model, params) as engine:
        engine.generate("Hello, this is a prompt", n_predict=0)
        assert cpus_of(step_thread()) == {CPUS[1]}  # the last forward had several rows
        engine.generate("Hello", ENDLESS)
        assert cpus_of(step_thread()) == {CPUS[0]}


def test_a_low_priority_is_that_of_the_step_thread(tiny_model: Model) -> None:
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    with Engine(tiny_model, SMALL.replace(cpu=CpuParams(priority=-1))) as engine:
        engine.generate("Hello", ENDLESS)
        assert os.getpriority(os.PRIO_PROCESS, step_thread()) == usual + 5
    assert os.getpriority(os.PRIO_PROCESS, 0) == usual


def test_a_draft_model_computes_on_the_same_threads(tiny_model: Model) -> None:
    params = SMALL.replace(n_threads=2, cpu=CpuParams(cpus=(CPUS[1],)))
    before = threads()
    with Engine(tiny_model, params, draft_model=tiny_model) as engine:
        engine.generate("Hello", ENDLESS)
        bound = [thread for thread in threads() - before if cpus_of(thread) == {CPUS[1]}]
        assert len(bound) >= 2


def test_cpus_that_are_not_here_are_refused(tiny_model: Model) -> None:
    missing = max(CPUS) + 1
    with pytest.raises(InvalidRequest, match="none of them can be used"):
        Engine(tiny_model, SMALL.replace(cpu=CpuParams(cpus=(missing,))))
    with Engine(tiny_model, SMALL.replace(cpu=CpuParams(cpus=(CPUS[0], missing)))) as engine:
        engine.generate("Hello", ENDLESS)
        assert cpus_of(step_thread()) == {CPUS[0]}


@pytest.mark.parametrize("wrong", [{"cpus": (512,)}, {"poll": 101}, {"priority": 4}])
def test_parameters_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        CpuParams(**wrong)  # type: ignore[arg-type]
