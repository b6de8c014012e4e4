"""The JSON configuration file: what its fields become, and what is said of wrong ones."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from llamabox import EngineParams, GenerationParams, HubModel, ModelParams
from llamabox.server.cli import parse
from llamabox.server.config import ServerConfig
from tests.server.test_cli import refusal

HUB = {"repo_id": "user/repo-GGUF", "filename": "*Q8_0.gguf"}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(**sections: Any) -> str:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(sections))
        return str(path)

    return write


def test_every_field_reaches_the_configuration(write: Any) -> None:
    path = write(
        server={"host": "0.0.0.0", "port": 8000},
        model={
            "path": "m.gguf",
            "alias": "name",
            "n_ctx": 8192,
            "n_seq_max": 8,
            "n_batch": 64,
            "n_ubatch": 32,
            "n_gpu_layers": 3,
            "threads": 2,
            "threads_batch": 4,
            "kv_unified": True,
            "use_mmap": False,
            "use_mlock": True,
            "flash_attn": True,
            "swa_full": True,
            "chat_template": ["{{ bos_token }}", "{{ messages[0].content }}"],
            "draft_model": "prompt-lookup-decoding",
            "draft_model_num_pred_tokens": 8,
            "draft_model_max_ngram_size": 4,
            "embedding": False,
            "store_logits": False,
            "loras": [],
            "split_mode": None,
        },
    )
    assert parse(["--config", path]).config == ServerConfig(
        host="0.0.0.0",
        port=8000,
        model=Path("m.gguf"),
        alias="name",
        chat_template="{{ bos_token }}{{ messages[0].content }}",
        model_params=ModelParams(n_gpu_layers=3, use_mmap=False, use_mlock=True),
        engine_params=EngineParams(
            n_ctx=8192,
            n_parallel=8,
            n_batch=64,
            n_ubatch=32,
            n_threads=2,
            n_threads_batch=4,
            kv_layout="unified",
            flash_attention="on",
            swa_full=True,
            lookup_ngram_min=1,
            n_draft_max=8,
        ),
        defaults=GenerationParams(),
    )


def test_the_disk_cache_reaches_the_engine(write: Any) -> None:
    path = write(disk_cache={"path": "cache", "max_bytes": (3 << 20) + 5, "min_tokens": 64})
    params = parse(["--config", path]).config.engine_params
    assert (params.cache_disk, params.cache_disk_max, params.cache_min_tokens) == ("cache", 3, 64)


def test_an_empty_file_changes_nothing(write: Any) -> None:
    for sections in ({}, {"model": {}, "server": {}}, {"model": None, "disk_cache": None}):
        assert parse(["--config", write(**sections)]) == parse([])


def test_flags_win_wherever_they_stand(write: Any) -> None:
    path = write(
        server={"port": 8000},
        model={
            "path": "m.gguf",
            "n_ctx": 100,
            "flash_attn": True,
            "kv_unified": False,
            "chat_template": "file",
        },
    )
    flags = "-c 200 -fa off --kv-layout auto --port 1 -m other.gguf --chat-template chatml"
    for argv in ([*flags.split(), "--config", path], ["--config", path, *flags.split()]):
        assert parse(argv).config == parse(flags.split()).config


def test_without_one_pool_the_context_is_shared_out(write: Any) -> None:
    for sessions, n_each in (({"n_seq_max": 8}, 512), ({"n_seq_max": -1}, 1024), ({}, 1024)):
        path = write(model={"n_ctx": 4096, "kv_unified": False, **sessions})
        params = parse(["--config", path]).config.engine_params
        assert (params.n_ctx, params.kv_layout) == (n_each, "partitioned")
        assert params.n_ctx * params.n_parallel == 4096


@pytest.mark.parametrize(
    ("flags", "n_each"),
    [
        ("-np 1", 4096),
        ("-np 8", 512),
        ("-np -1", 1024),
        ("-c 100", 100),
        ("--kv-layout unified", 4096),
    ],
)
def test_it_is_shared_out_among_those_that_the_flags_say(
    write: Any, flags: str, n_each: int
) -> None:
    path = write(model={"n_ctx": 4096, "kv_unified": False, "n_seq_max": 2})
    assert parse([*flags.split(), "--config", path]).config.engine_params.n_ctx == n_each


class TestHub:
    def test_a_model_of_the_hub(self, write: Any) -> None:
        parts = {"additional_files": ["b.gguf"], "cache_dir": "there"}
        path = write(model={"from_pretrained": HUB | parts})
        expected = HubModel(repo="user/repo-GGUF", file="*Q8_0.gguf", cache_dir="there")
        assert parse(["--config", path]).config.hub_model == expected
        with_access = parse(["--offline", "-hft", "secret", "--config", path]).config.hub_model
        assert with_access == dataclasses.replace(expected, token="secret", offline=True)

    def test_a_flag_that_names_a_model_puts_the_other_aside(self, write: Any) -> None:
        path = write(model={"from_pretrained": HUB})
        config = parse(["--config", path, "-m", "m.gguf"]).config
        assert (config.model, config.hub_model) == (Path("m.gguf"), None)
        path = write(model={"path": "m.gguf"})
        config = parse(["--config", path, "-hf", "a/b"]).config
        assert (config.model, config.hub_model) == (None, HubModel(repo="a/b"))

    def test_a_draft_model_of_the_hub(self, write: Any) -> None:
        path = write(model={"draft_model_from_pretrained": HUB, "draft_model_p_min": 0.5})
        config = parse(["--config", path]).config
        assert config.hub_draft_model == HubModel(repo="user/repo-GGUF", file="*Q8_0.gguf")
        assert config.engine_params.draft_p_min == 0.5


@pytest.mark.parametrize(
    ("sections", "field", "reason"),
    [
        ({"models": {}}, "models", "no such section"),
        ({"model": []}, "model", "must be an object"),
        ({"server": {"reload": True}}, "server.reload", "not supported"),
        ({"model": {"response_schema": {}}}, "model.response_schema", "not supported"),
        ({"model": {"mtmd": {"mmproj_path": "x"}}}, "model.mtmd", "not supported"),
        ({"model": {"embedding": True}}, "model.embedding", "this value"),
        ({"model": {"loras": [{"path": "x"}]}}, "model.loras", "this value"),
        ({"model": {"draft_model_top_k": True}}, "model.draft_model_top_k", "this value"),
        ({"model": {"n_ctx": "big"}}, "model.n_ctx", "must be a number"),
        ({"model": {"n_ctx": -1}}, "model.n_ctx", "not within"),
        ({"model": {"n_seq_max": 0}}, "model.n_seq_max", "not within"),
        ({"model": {"draft_model_num_pred_tokens": 65}}, "model.draft_model_num_pred_tokens", "64"),
        ({"model": {"kv_unified": 1}}, "model.kv_unified", "must be a boolean"),
        (
            {"model": {"n_ctx": 3, "n_seq_max": 4, "kv_unified": False}},
            "model.n_ctx",
            "3 is less than a token for each of 4",
        ),
        ({"model": {"chat_template": ""}}, "model.chat_template", "is empty"),
        ({"model": {"chat_template": ["{%", "if %}"]}}, "model.chat_template", "not compile"),
        ({"model": {"chat_template": [1]}}, "model.chat_template[0]", "must be a string"),
        (
            {"model": {"draft_model": "draft-mtp"}},
            "model.draft_model",
            "draft-mtp is not",
        ),
        ({"model": {"draft_model": "magic"}}, "model.draft_model", "prompt-lookup-decoding"),
        ({"model": {"draft_model_max_ngram_size": 0}}, "model.draft_model_max_ngram_size", "1 or"),
        ({"model": {"from_pretrained": {}}}, "model.from_pretrained.repo_id", "is required"),
        (
            {"model": {"from_pretrained": HUB | {"repo_id": "x"}}},
            "model.from_pretrained.repo_id",
            "user/repo",
        ),
        (
            {"model": {"from_pretrained": HUB | {"revision": "x"}}},
            "model.from_pretrained.revision",
            "not supported",
        ),
        ({"model": {"from_pretrained": HUB, "path": "x"}}, "model.from_pretrained", "model.path"),
        ({"server": {"port": 70000}}, "server.port", "65535"),
        ({"disk_cache": {"max_bytes": 1 << 30}}, "disk_cache.path", "is required"),
        ({"disk_cache": {"path": "x", "max_bytes": 5}}, "disk_cache.max_bytes", "1 MiB"),
        ({"disk_cache": {"path": "x", "min_tokens": -1}}, "disk_cache.min_tokens", "not within"),
    ],
)
def test_what_is_wrong_is_named_in_a_line(
    capsys: pytest.CaptureFixture[str], write: Any, sections: Any, field: str, reason: str
) -> None:
    line = refusal(capsys, "--config", write(**sections))
    assert line.startswith(f"llamabox: error: argument --config: {field}: ")
    assert reason in line


def test_a_flag_that_is_wrong_is_named_though_the_file_is_not(
    capsys: pytest.CaptureFixture[str], write: Any
) -> None:
    line = refusal(capsys, "--config", write(model={"n_ctx": 512}), "-c", "-1")
    assert "argument --ctx-size: " in line


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b'{"model": \xff}', b"\xff\xfe"])
def test_what_is_no_json_object_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    assert "JSON" in refusal(capsys, "--config", str(path))


def test_a_file_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "nothing.json" in refusal(capsys, "--config", str(tmp_path / "nothing.json"))
