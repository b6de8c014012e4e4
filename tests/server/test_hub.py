"""Models of the hub on the command line, and served."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamabox import HubAccessDenied, HubModel
from llamabox.server.cli import parse
from llamabox.server.service import open_engine
from tests.api.hub_server import FakeHub
from tests.conftest import RandomModels
from tests.server.conftest import small_config
from tests.server.live import LiveServer
from tests.server.test_cli import refusal

REPO = "someone/tiny-GGUF"


def test_the_flags_name_models_of_the_hub() -> None:
    config = parse(
        "-hf a/b:Q8_0 -hff *.gguf -hfd c/d --hf-file-draft e.gguf -hft secret --offline".split()
    ).config
    assert config.hub_model == HubModel(
        repo="a/b", quant="Q8_0", file="*.gguf", token="secret", offline=True
    )
    assert config.hub_draft_model == HubModel(
        repo="c/d", file="e.gguf", token="secret", offline=True
    )
    assert parse(["--hf-repo", "a/b"]).config.hub_model == HubModel(repo="a/b")
    assert parse([]).config.hub_model is None


@pytest.mark.parametrize(
    ("argv", "flag"),
    [
        (["-hf", "nothing"], "--hf-repo"),
        (["-hfd", "no/thing/here"], "--hf-repo-draft"),
        (["-hff", "a.gguf"], "--hf-file"),
        (["-hffd", "a.gguf"], "--hf-file-draft"),
        (["-hf", "a/b", "-m", "c.gguf"], "--hf-repo"),
    ],
)
def test_what_is_no_model_of_the_hub_is_refused(
    capsys: pytest.CaptureFixture[str], argv: list[str], flag: str
) -> None:
    assert f"argument {flag}: " in refusal(capsys, *argv)


def test_the_draft_model_comes_from_the_hub_too(
    random_models: RandomModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        content = random_models("llama").read_bytes()
        hub.files = {REPO: {"tiny.gguf": content}, "someone/draft": {"smaller.gguf": content}}
        sources = [HubModel(repo=repo, cache_dir=str(tmp_path)) for repo in hub.files]
        config = small_config(hub_model=sources[0], hub_draft_model=sources[1])
        engine = open_engine(config, lambda share: True)
        try:
            output = engine.generate([5, 6, 7], n_predict=20, temperature=0, ignore_eos=True)
            assert output.n_output == 20
        finally:
            engine.close()
            engine.model.close()
        assert hub.ranges == [0, 0]


def test_a_model_of_the_hub_is_served(
    random_models: RandomModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.files[REPO] = {"tiny-Q4_K_M.gguf": random_models("llama").read_bytes()}
        source = HubModel(repo=REPO, cache_dir=str(tmp_path))
        config = small_config(hub_model=source)
        with LiveServer(config) as live, live.wait_ready().client() as client:
            reply = client.post("/completion", json={"prompt": [5, 6], "n_predict": 3})
            assert reply.status_code == 200
        secret = HubModel(repo="someone/else", cache_dir=str(tmp_path))
        with pytest.raises(HubAccessDenied, match="someone/else"):
            open_engine(small_config(hub_model=secret), lambda share: True)
