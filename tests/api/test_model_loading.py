"""A file that is no model to generate with is refused with its name and the true reason."""

from __future__ import annotations

import contextlib
import logging
import random
import re
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import llamabox
from llamabox import Engine, Model, ModelLoadError
from llamabox.api.gguf import check_generates, read_head
from tests.api.conftest import SMALL
from tests.conftest import RandomModels
from tests.models.wrong_files import WrongFile, write_wrong_files


@pytest.fixture(scope="module")
def wrong_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, WrongFile]:
    return write_wrong_files(tmp_path_factory.mktemp("wrong"))


def test_every_wrong_file_is_refused_by_name_and_reason(
    wrong_files: dict[str, WrongFile], capfd: pytest.CaptureFixture[str]
) -> None:
    for name, wrong in wrong_files.items():
        with pytest.raises(ModelLoadError) as error:
            Engine(wrong.path, SMALL)
        message = str(error.value)
        assert str(wrong.path) in message, name
        assert re.search(wrong.reason, message), (name, message)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_path_without_a_name_is_a_directory(path: str) -> None:
    with pytest.raises(ModelLoadError, match="a directory, not a GGUF file"):
        Engine(path, SMALL)


def test_no_wrong_file_ends_the_process_nor_prints(wrong_files: dict[str, WrongFile]) -> None:
    code = """
import sys, llamabox
for path in sys.argv[1:]:
    try:
        llamabox.Engine(path)
    except llamabox.ModelLoadError:
        print(path)
"""
    paths = [str(wrong.path) for wrong in wrong_files.values()]
    run = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == paths
    assert run.stderr == ""


def test_a_good_model_prints_nothing_from_loading_to_closing(tiny_path: Path) -> None:
    code = """
import sys, llamabox
with llamabox.Engine(sys.argv[1], llamabox.EngineParams(n_ctx=256, n_threads=1)) as engine:
    engine.generate("hello", n_predict=4)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tiny_path)], capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_head_with_changed_bytes_is_read_or_refused(tiny_path: Path, tmp_path: Path) -> None:
    """Never another exception, whatever the bytes."""
    head, rng = tiny_path.read_bytes()[:20_000], random.Random(61)
    path = tmp_path / "changed.gguf"
    for _ in range(500):
        data = bytearray(head[: rng.choice([len(head), rng.randrange(len(head))])])
        for _ in range(rng.randint(1, 4)):
            i = rng.randrange(min(len(data), 2_000)) if data else 0
            data[i : i + 1] = bytes([rng.choice([0, 1, 9, 127, 128, 255])])
        path.write_bytes(data)
        with contextlib.suppress(ModelLoadError):
            check_generates(path, read_head(path))


def test_a_head_of_arrays_inside_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.gguf"
    key = struct.pack("<Q", 1) + b"k" + struct.pack("<I", 9)
    path.write_bytes(
        struct.pack("<4sIQQ", b"GGUF", 3, 1, 1) + key + struct.pack("<IQ", 9, 1) * 5000
    )
    with pytest.raises(ModelLoadError, match=re.escape(str(path))):
        read_head(path)


def test_an_array_of_impossible_length_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.gguf"
    key = struct.pack("<Q", 1) + b"k" + struct.pack("<I", 9)
    path.write_bytes(
        struct.pack("<4sIQQ", b"GGUF", 3, 1, 1) + key + struct.pack("<IQ", 4, 2**64 - 1)
    )
    with pytest.raises(ModelLoadError, match=re.escape(str(path))):
        read_head(path)


def test_a_model_says_what_it_is(random_models: RandomModels) -> None:
    for kind in ("llama", "qwen2", "gemma3", "mamba"):
        path = random_models(kind)
        with Model.load(path) as model:
            assert model.path == path
            assert model.name == f"random {kind}"
            assert model.metadata["general.architecture"] == kind
            assert (model.n_vocab, model.n_ctx_train, model.n_embd) == (512, 4096, 64)
            assert model.n_params > 100_000
            assert kind in model.description
            assert model.chat_template is None


def test_the_packaged_model_loads_by_default_and_has_a_chat_template() -> None:
    with Model.load() as model:
        assert model.path == llamabox.packaged_model()
        assert model.chat_template
        assert model.n_ctx_train >= 2048
        assert model.path.stat().st_size < 8 << 20


def test_progress_goes_from_0_to_1_and_can_give_up(tiny_path: Path) -> None:
    shares: list[float] = []
    Model.load(tiny_path, progress=shares.append).close()
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    with pytest.raises(ModelLoadError, match=re.escape(str(tiny_path))):
        Model.load(tiny_path, progress=lambda share: False)


def test_a_model_loads_from_a_path_with_any_characters(tiny_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "größe 模型 %s.gguf"
    path.write_bytes(tiny_path.read_bytes())
    with Engine(str(path), SMALL) as engine:
        assert engine.model.path == path


def test_a_model_that_a_closed_llama_held_is_refused() -> None:
    with pytest.raises(ModelLoadError, match="no loaded model"):
        Model.from_llama(object())


def test_a_context_that_does_not_fit_the_memory_is_refused_by_name(tiny_path: Path) -> None:
    code = """
import psutil, resource, sys, llamabox
llamabox.Engine
limit = psutil.Process().memory_info().vms + (256 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    llamabox.Engine(sys.argv[1], llamabox.EngineParams(n_ctx=1 << 22, n_threads=1))
except llamabox.ModelLoadError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tiny_path)], capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(f"{tiny_path}: no context of 4194304 cells")


def test_two_failing_loads_each_get_their_own_reason(tmp_path: Path) -> None:
    """llama.cpp has one log for the process."""
    paths = [tmp_path / f"cut-{i}.gguf" for i in range(2)]
    whole = llamabox.packaged_model().read_bytes()
    for path in paths:
        path.write_bytes(whole[: len(whole) // 2])

    def reason(path: Path) -> str:
        with pytest.raises(ModelLoadError) as refusal:
            Model.load(path)
        return str(refusal.value)

    with ThreadPoolExecutor(2) as pool:
        for path, text in zip(paths * 20, pool.map(reason, paths * 20), strict=True):
            assert str(path) in text
            assert "corrupted" in text or "not within" in text


def test_llamas_own_log_is_debug_output(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "llamabox.llama"):
        Model.load().close()
    assert any("general.architecture" in record.message for record in caplog.records)
