"""Control vectors: they change what a model says, and only fitting ones are taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from llamabox import Engine, EngineParams, GenerationParams, InvalidRequest, Model, ModelLoadError
from tests.api.conftest import SMALL
from tests.core.running import eventually
from tests.models.lora import write_control_vector
from tests.models.tensors import N_EMBD

GREEDY = GenerationParams(temperature=0, ignore_eos=True, n_predict=24)


def said(model: Model, params: EngineParams) -> str:
    with Engine(model, params) as engine:
        return engine.generate("hello", GREEDY).text


def vectors(*pairs: tuple[Path, float]) -> EngineParams:
    return SMALL.replace(control_vectors=tuple((str(path), scale) for path, scale in pairs))


def test_it_changes_what_is_said(tiny_model: Model, tmp_path: Path) -> None:
    path = write_control_vector(tmp_path / "a.gguf", 1)
    plain = said(tiny_model, SMALL)
    texts = {said(tiny_model, vectors((path, scale))) for scale in (1.0, -1.0, 3.0)}
    assert len(texts | {plain}) == 4
    assert said(tiny_model, vectors((path, 0.0))) == plain


def test_several_add_up(tiny_model: Model, tmp_path: Path) -> None:
    path = write_control_vector(tmp_path / "a.gguf", 1)
    assert said(tiny_model, vectors((path, 0.5), (path, 0.5))) == said(
        tiny_model, vectors((path, 1.0))
    )
    assert said(tiny_model, vectors((path, 2.0), (path, -2.0))) == said(tiny_model, SMALL)


def test_only_layers_of_the_range_are_changed(tiny_model: Model, tmp_path: Path) -> None:
    params = vectors((write_control_vector(tmp_path / "a.gguf", 1), 1.0))
    all_layers = said(tiny_model, params)
    assert said(tiny_model, params.replace(control_vector_layers=(1, 1))) == all_layers
    with pytest.raises(InvalidRequest, match="2 layers"):
        said(tiny_model, params.replace(control_vector_layers=(1, 2)))


def _zeros(name: str, shape: tuple[int, ...], kind: type = np.float32) -> dict[str, np.ndarray]:
    return {name: np.zeros(shape, dtype=kind)}


@pytest.mark.parametrize(
    ("tensors", "word"),
    [
        ({}, "no directions"),
        (_zeros("direction.1", (N_EMBD // 2,)), "fit"),
        (_zeros("direction.2", (N_EMBD,)), "fit"),
        (_zeros("direction.0", (N_EMBD,)), "direction.0"),
        (_zeros("direction.x", (N_EMBD,)), "direction.x"),
        (_zeros("direction.99999", (N_EMBD,)), "direction.99999"),
        (_zeros("other", (N_EMBD,)), "other"),
        (_zeros("direction.1", (2, N_EMBD)), "32-bit"),
        (_zeros("direction.1", (N_EMBD,), np.float16), "32-bit"),
    ],
)
def test_what_does_not_fit_is_refused(
    tiny_model: Model, tmp_path: Path, tensors: dict[str, np.ndarray], word: str
) -> None:
    path = write_control_vector(tmp_path / "bad.gguf", tensors=tensors)
    with pytest.raises(ModelLoadError, match=word):
        said(tiny_model, vectors((path, 1.0)))


def _missing(path: Path) -> None:
    path.unlink()


def _text(path: Path) -> None:
    path.write_text("something else")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _cut_early(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize("damage", [_missing, _text, _cut, _cut_early])
def test_a_damaged_file_is_refused(
    tiny_model: Model, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = write_control_vector(tmp_path / "bad.gguf")
    damage(path)
    with pytest.raises(ModelLoadError, match=r"bad\.gguf"):
        said(tiny_model, vectors((path, 1.0)))


def test_every_truncation_is_refused_without_a_crash(tiny_model: Model, tmp_path: Path) -> None:
    data = write_control_vector(tmp_path / "good.gguf").read_bytes()
    path = tmp_path / "cut.gguf"
    for n in range(0, len(data) - 1, 7):
        path.write_bytes(data[:n])
        with pytest.raises(ModelLoadError):
            said(tiny_model, vectors((path, 1.0)))


def test_prefixes_on_disk_are_those_of_the_same_vector(tiny_model: Model, tmp_path: Path) -> None:
    path = write_control_vector(tmp_path / "a.gguf", 1)
    disk = SMALL.replace(cache_disk=str(tmp_path / "disk"), cache_min_tokens=1)
    prompt = "a long prompt that is kept on disk " * 12
    for params, is_cached in ((disk, False), (disk, True)):
        with Engine(tiny_model, params) as engine:
            if is_cached:
                eventually(lambda: engine.stats().n_tier_disk_blocks > 0, "files are known")
            completion = engine.generate(prompt, GREEDY)
            assert (completion.n_cached > 0) is is_cached
    moved = disk.replace(control_vectors=((str(path), 1.0),))
    with Engine(tiny_model, moved) as engine:
        assert engine.generate(prompt, GREEDY).n_cached == 0
