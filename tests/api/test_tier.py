"""An engine's evicted prefixes come back, also in another engine of the same model."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from llamabox import Engine, EngineParams, InvalidRequest, Prompt
from tests.conftest import RandomModels
from tests.core.running import eventually

SMALL = EngineParams(
    n_ctx=1024,
    n_parallel=2,
    flash_attention="off",
    kv_layout="unified",
    n_threads=1,
    cache_min_tokens=32,
    warmup=False,
)


def prompt(seed: int, n: int = 300) -> Prompt:
    return Prompt(np.random.default_rng(seed).integers(5, 400, n, dtype=np.int32), "")


def evict(engine: Engine) -> None:
    for seed in range(100, 104):
        engine.generate(prompt(seed, 40), n_predict=1)


@pytest.mark.parametrize("kv_layout", ["unified", "partitioned"])
def test_a_prompt_outlives_its_cells_and_its_engine(
    random_models: RandomModels, tmp_path: Path, kv_layout: str
) -> None:
    params = SMALL.replace(cache_disk=str(tmp_path / "prefixes"), kv_layout=kv_layout)
    with Engine(random_models(), params) as engine:
        first = engine.generate(prompt(1), n_predict=12, temperature=0, ignore_eos=True)
        evict(engine)
        again = engine.generate(prompt(1), n_predict=12, temperature=0, ignore_eos=True)
        stats = engine.stats()
    assert (again.tokens, again.n_cached) == (first.tokens, 299)
    assert stats.n_tier_hits == 1
    assert stats.n_tier_loaded_tokens == 299
    assert 0 < stats.n_tier_bytes <= 1 << 30
    with Engine(random_models(), params) as engine:
        wait_for_files(engine, tmp_path / "prefixes")
        later = engine.generate(prompt(1), n_predict=12, temperature=0, ignore_eos=True)
        assert (later.tokens, later.n_cached) == (first.tokens, 299)


def wait_for_files(engine: Engine, folder: Path) -> None:
    n_files = len(list(folder.glob("*.prefix")))
    assert n_files > 0
    eventually(lambda: engine.stats().n_tier_disk_blocks >= n_files, "the files are known")


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (("llama", "f16"), {}),
        (("qwen2", "f32"), {}),
        (("llama", "f32"), {"flash_attention": "on"}),
        (("llama", "f32"), {"kv_layout": "partitioned"}),
    ],
    ids=["weights", "model", "flash attention", "layout"],
)
def test_files_of_another_model_or_context_are_not_used(
    random_models: RandomModels,
    tmp_path: Path,
    model: tuple[str, str],
    changes: dict[str, str],
) -> None:
    params = SMALL.replace(cache_disk=str(tmp_path))
    with Engine(random_models(), params) as engine:
        engine.generate(prompt(2), n_predict=1)
    n_files = len(list(tmp_path.glob("*.prefix")))
    with Engine(random_models(*model), params.replace(**changes)) as engine:
        assert engine.generate(prompt(2), n_predict=4).n_cached == 0
        assert engine.stats().n_tier_loaded_tokens == 0
    assert len(list(tmp_path.glob("*.prefix"))) > n_files


def test_a_model_is_known_wherever_its_file_is(random_models: RandomModels, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(random_models().read_bytes())
    params = SMALL.replace(cache_disk=str(tmp_path / "prefixes"))
    with Engine(random_models(), params) as engine:
        engine.generate(prompt(3), n_predict=1)
    with Engine(copy, params.replace(n_ctx=2048)) as engine:
        wait_for_files(engine, tmp_path / "prefixes")
        assert engine.generate(prompt(3), n_predict=1).n_cached == 299


def test_an_engine_without_ram_for_them_keeps_none(random_models: RandomModels) -> None:
    with Engine(random_models(), SMALL.replace(cache_ram=0)) as engine:
        engine.generate(prompt(4), n_predict=1)
        evict(engine)
        assert engine.generate(prompt(4), n_predict=1).n_cached == 0
        assert engine.stats().n_tier_saved_tokens == 0


def test_disk_without_ram_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="cache_ram") as raised:
        SMALL.replace(cache_disk="/tmp/x", cache_ram=0)
    assert raised.value.param == "cache_disk"


@pytest.mark.parametrize("architecture", ["mamba", "jamba", "gemma3"])
def test_a_model_whose_memory_cannot_be_cut_runs_without_and_the_log_says_why(
    random_models: RandomModels,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    architecture: str,
) -> None:
    params = SMALL.replace(cache_disk=str(tmp_path), n_ctx=2048)
    with Engine(random_models(architecture), params) as engine:
        assert engine.generate(prompt(5), n_predict=4).n_output > 0
    assert "cannot be cut" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_logged(
    random_models: RandomModels, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    (tmp_path / "file").write_bytes(b"")
    params = SMALL.replace(cache_disk=str(tmp_path / "file" / "folder"))
    with Engine(random_models(), params) as engine:
        for _ in range(2):
            assert engine.generate(prompt(6), n_predict=4).n_output > 0
            evict(engine)
    assert "prefixes" in caplog.text
