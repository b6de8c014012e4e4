"""Models from a hub: which files, how they come, and what is said when they do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from llamabox import (
    HubAccessDenied,
    HubError,
    HubFileDamaged,
    HubModel,
    HubNotFound,
    HubUnreachable,
    InvalidRequest,
    fetch,
)
from llamabox.api import download
from llamabox.api.hub_files import choose_files
from tests.api.hub_server import FakeHub

REPO = "someone/model-GGUF"
SMALL = b"GGUF" + bytes(range(256)) * 16


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.delenv("LLAMA_CACHE", raising=False)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 512)
        monkeypatch.setattr(download, "CHUNK", 512)
        hub.files[REPO] = {
            "model-Q4_K_M.gguf": SMALL,
            "model-Q8_0.gguf": SMALL[:100],
            "README.md": b"-",
        }
        yield hub


@pytest.fixture
def source(tmp_path: Path) -> HubModel:
    return HubModel(repo=REPO, cache_dir=str(tmp_path))


def changed(source: HubModel, **changes: Any) -> HubModel:
    fields = {name: getattr(source, name) for name in HubModel.__slots__}
    return HubModel(**{**fields, **changes})


class TestNames:
    def test_a_name_is_a_repository_and_perhaps_a_quantization(self) -> None:
        assert HubModel.named("a/b") == HubModel(repo="a/b")
        assert HubModel.named("a/b:Q8_0", offline=True) == HubModel(
            repo="a/b", quant="Q8_0", offline=True
        )
        assert "secret" not in repr(HubModel(repo="a/b", token="secret"))

    @pytest.mark.parametrize(
        "name", ["", "a", "a/", "/b", "a/b/c", "a b/c", "../b", "a/..", "é/b", ":Q8_0"]
    )
    def test_what_is_no_name_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidRequest, match="user/repo") as refusal:
            HubModel.named(name)
        assert refusal.value.param == "hf_repo"


FILES = [
    "README.md",
    "mmproj-model-Q4_K_M.gguf",
    "model-BF16.gguf",
    "model-IQ4_XS.gguf",
    "model-Q4_K_M.gguf",
    "model-Q8_0.gguf",
    "model_F16.gguf",
    "sub/big-Q6_K-00002-of-00002.gguf",
    "sub/big-Q6_K-00001-of-00002.gguf",
]
BIG = ["sub/big-Q6_K-00001-of-00002.gguf", "sub/big-Q6_K-00002-of-00002.gguf"]


class TestChoice:
    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({}, ["model-Q4_K_M.gguf"]),
            ({"quant": "q8_0"}, ["model-Q8_0.gguf"]),
            ({"quant": "Q6_K"}, BIG),
            ({"quant": "f16"}, ["model_F16.gguf"]),
            ({"quant": "bf16"}, ["model-BF16.gguf"]),
            ({"quant": "Q4_XS"}, ["model-IQ4_XS.gguf"]),
            ({"file": "model-BF16.gguf"}, ["model-BF16.gguf"]),
            ({"file": "*IQ4*", "quant": "Q8_0"}, ["model-IQ4_XS.gguf"]),
            ({"file": "mmproj*"}, ["mmproj-model-Q4_K_M.gguf"]),
            ({"file": BIG[1]}, BIG),
        ],
    )
    def test_the_file_that_is_asked_for(self, fields: dict[str, str], expected: list[str]) -> None:
        assert choose_files(FILES, HubModel(repo=REPO, **fields)) == expected  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("paths", "expected"),
        [
            (["a-F16.gguf", "b-Q8_0.gguf"], "b-Q8_0.gguf"),
            (["b-F16.gguf", "a-IQ4_XS.gguf"], "a-IQ4_XS.gguf"),
            (["mtp-a-Q4_K_M.gguf", "a-F32.gguf"], "a-F32.gguf"),
        ],
    )
    def test_without_the_usual_quantization_another_one(
        self, paths: list[str], expected: str
    ) -> None:
        assert choose_files(paths, HubModel(repo=REPO)) == [expected]

    @pytest.mark.parametrize(
        ("paths", "fields", "said"),
        [
            (FILES, {"quant": "Q2_K"}, "Q2_K"),
            (FILES, {"file": "other.gguf"}, "model-Q8_0.gguf"),
            (["README.md", "mmproj-a.gguf"], {}, "none"),
            (BIG[:1], {}, "1 of 2 parts"),
            ([], {}, "none"),
        ],
    )
    def test_what_is_not_there_is_said(
        self, paths: list[str], fields: dict[str, str], said: str
    ) -> None:
        with pytest.raises(HubNotFound, match=said):
            choose_files(paths, HubModel(repo=REPO, **fields))  # type: ignore[arg-type]


class TestDownload:
    def test_a_file_comes_once(self, hub: FakeHub, source: HubModel) -> None:
        shares: list[float] = []
        path = fetch(source, progress=shares.append)
        assert path.read_bytes() == SMALL
        assert shares == sorted(shares)
        assert (shares[-1], len(set(shares)) > 4) == (1.0, True)
        assert fetch(source) == path
        assert hub.counts["GET file"] == 1

    def test_all_parts_of_a_split_file_come(self, hub: FakeHub, source: HubModel) -> None:
        hub.files[REPO] = dict.fromkeys(FILES, b"x") | dict(
            zip(BIG, (b"GGUF 1", b"GGUF 2"), strict=True)
        )
        first = fetch(changed(source, quant="Q6_K"))
        assert [part.read_bytes() for part in sorted(first.parent.iterdir())] == [
            b"GGUF 1",
            b"GGUF 2",
        ]
        assert first.name == Path(BIG[0]).name

    def test_a_cut_connection_goes_on_where_it_ended(self, hub: FakeHub, source: HubModel) -> None:
        hub.n_cut, hub.cut_after = 1, 1024
        assert fetch(source).read_bytes() == SMALL
        assert hub.ranges == [0, 1024]

    def test_giving_up_keeps_what_came(
        self, hub: FakeHub, source: HubModel, tmp_path: Path
    ) -> None:
        hub.files[REPO] = dict(zip(BIG, (SMALL, SMALL[:-1]), strict=True))
        with pytest.raises(HubError, match="given up"):
            fetch(source, progress=lambda share: share < 0.8)
        assert fetch(source).read_bytes() == SMALL
        assert hub.counts["GET file"] == 3
        assert 0 < hub.ranges[-1] < len(SMALL)
        assert not [path for path in tmp_path.rglob("*") if path.suffix in (".part", ".version")]

    def test_a_damaged_cache_is_mended(self, hub: FakeHub, source: HubModel) -> None:
        path = fetch(source)
        path.resolve().write_bytes(SMALL[:99])
        assert fetch(source).read_bytes() == SMALL

    def test_a_damaged_file_that_no_snapshot_has_is_mended(
        self, hub: FakeHub, source: HubModel
    ) -> None:
        path = fetch(source)
        path.resolve().write_bytes(SMALL[:99])
        path.unlink()
        assert fetch(source).read_bytes() == SMALL
        assert hub.counts["GET file"] == 2

    def test_a_file_of_a_snapshot_need_not_be_a_link(self, hub: FakeHub, source: HubModel) -> None:
        path = fetch(source)
        path.resolve().replace(path)
        assert fetch(source) == path
        assert hub.counts["GET file"] == 1
        path.write_bytes(SMALL[:99])
        assert fetch(source).read_bytes() == SMALL

    @pytest.mark.parametrize("change", [-1, 1])
    def test_another_size_than_the_hub_says_is_refused(
        self, hub: FakeHub, source: HubModel, change: int
    ) -> None:
        hub.said_sizes["model-Q4_K_M.gguf"] = len(SMALL) + change
        with pytest.raises(HubFileDamaged, match="size"):
            fetch(source)
        hub.said_sizes.clear()
        assert fetch(source).read_bytes() == SMALL


class TestRefusals:
    def test_a_repository_that_is_not_there(self, hub: FakeHub, source: HubModel) -> None:
        """The hub says 401 for what does not exist, or is hidden."""
        with pytest.raises(HubAccessDenied, match="no/such"):
            fetch(changed(source, repo="no/such"))

    def test_a_gated_repository_wants_a_token(self, hub: FakeHub, source: HubModel) -> None:
        hub.tokens[REPO] = "hf_right"
        for token in (None, "hf_wrong"):
            with pytest.raises(HubAccessDenied, match="token") as denied:
                fetch(changed(source, token=token))
            assert "hf_wrong" not in str(denied.value)
        assert fetch(changed(source, token="hf_right")).read_bytes() == SMALL

    @pytest.mark.parametrize(("status", "kind"), [(404, HubNotFound), (401, HubAccessDenied)])
    def test_a_status_is_an_error_of_its_kind(
        self, hub: FakeHub, source: HubModel, status: int, kind: type[HubError]
    ) -> None:
        fetch(source)
        hub.status = status
        with pytest.raises(kind, match=REPO):
            fetch(source)

    def test_a_quantization_that_is_not_there(self, hub: FakeHub, source: HubModel) -> None:
        with pytest.raises(HubNotFound, match="Q2_K"):
            fetch(changed(source, quant="Q2_K"))

    def test_without_the_package_it_is_named(
        self, source: HubModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
        with pytest.raises(HubError, match=r"llamabox\[hub\]"):
            fetch(source)


class TestWithoutTheHub:
    def test_offline_takes_the_cache_and_asks_nobody(self, hub: FakeHub, source: HubModel) -> None:
        path = fetch(source)
        n_before = hub.counts.total()
        assert fetch(changed(source, offline=True)) == path
        assert fetch(changed(source, offline=True, file="*Q4*")) == path
        assert hub.counts.total() == n_before

    @pytest.mark.parametrize("fields", [{}, {"quant": "Q8_0"}, {"file": "model-Q8_0.gguf"}])
    def test_offline_without_it_in_the_cache(
        self, hub: FakeHub, source: HubModel, fields: dict[str, str]
    ) -> None:
        if fields:
            fetch(source)
        with pytest.raises(HubUnreachable, match=r"offline.*cache"):
            fetch(changed(source, offline=True, **fields))

    def test_where_the_hub_is_gone_the_cache_has_to_do(
        self, hub: FakeHub, source: HubModel
    ) -> None:
        path = fetch(source)
        hub.stop()
        assert fetch(source) == path
        with pytest.raises(HubUnreachable, match="cannot be reached"):
            fetch(changed(source, repo="some/other"))

    def test_where_the_hub_fails_too(self, hub: FakeHub, source: HubModel) -> None:
        path = fetch(source)
        hub.status = 507
        assert fetch(source) == path

    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize("has_new", [False, True])
    def test_where_it_lists_its_files_and_gives_none(
        self, hub: FakeHub, source: HubModel, status: int, has_new: bool
    ) -> None:
        path = fetch(source)
        if has_new:
            hub.files[REPO]["model-Q4_K_M.gguf"] = SMALL + b"more"
            hub.commit = hub.commit[::-1]
        hub.file_status = status
        assert fetch(source) == path
        assert path.read_bytes() == SMALL
        with pytest.raises(HubUnreachable, match=f"status {status}"):
            fetch(changed(source, quant="Q8_0"))

    def test_where_a_new_version_is_cut(
        self, hub: FakeHub, source: HubModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(download, "FIRST_DELAY", 0.001)
        path = fetch(source)
        hub.files[REPO]["model-Q4_K_M.gguf"] = SMALL + b"more"
        hub.commit = hub.commit[::-1]
        hub.n_cut = 100
        assert fetch(source) == path
        assert path.read_bytes() == SMALL
        hub.n_cut = 0
        assert fetch(source).read_bytes() == SMALL + b"more"
