"""The flags of the draft model, and a server that is started with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llamabox import EngineParams, ModelParams, packaged_model
from llamabox.server.cli import parse
from tests.server.test_cli import refusal

START_SECONDS = 60.0


def test_every_flag_reaches_the_configuration() -> None:
    config = parse(["-md", "d.gguf", "-ngld", "5", "-devd", "CUDA0, CUDA1", "-cd", "256"]).config
    assert config.draft_model == Path("d.gguf")
    assert config.draft_model_params == ModelParams(n_gpu_layers=5, devices=("CUDA0", "CUDA1"))
    assert config.engine_params == EngineParams(n_ctx_draft=256)
    assert config.model_params == ModelParams()


def test_every_flag_has_its_other_names() -> None:
    short = parse(["-md", "d", "-ngld", "5", "-devd", "none", "-cd", "9"])
    for layers in ("--gpu-layers-draft", "--n-gpu-layers-draft"):
        long = ["--model-draft", "d", layers, "5", "--device-draft", "none", "--ctx-size-draft=9"]
        assert parse(long) == short
    assert short.config.draft_model_params.devices == ()


def test_wrong_values_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--ctx-size-draft" in refusal(capsys, "-cd", "-1")
    assert "--device-draft" in refusal(capsys, "-devd", "CUDA0,,CUDA1")
    assert "--n-gpu-layers-draft" in refusal(capsys, "-ngld", "x")


@pytest.mark.parametrize(
    ("flags", "reason", "status"),
    [
        (("-md", "missing.gguf"), "missing.gguf: no such file", 1),
        (("-md", str(packaged_model()), "-devd", "CUDA77"), "--device-draft: 'CUDA77' is no", 2),
    ],
)
def test_a_draft_model_that_cannot_be_had_ends_the_server(
    flags: tuple[str, ...], reason: str, status: int, tmp_path: Path
) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "llamabox", "--port", "0", "-c", "256", "-np", "1", *flags],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        cwd=tmp_path,
        check=False,
    )
    assert run.returncode == status
    (line,) = [line for line in run.stderr.splitlines() if "error" in line.lower()]
    assert reason in line
    assert "Traceback" not in run.stderr
