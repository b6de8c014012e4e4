"""Files from URLs and from the hub: resumed, checked, and refused with the reason."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llamabox import (
    HubAccessDenied,
    HubError,
    HubFileDamaged,
    HubModel,
    HubNotFound,
    HubUnreachable,
    InvalidRequest,
    ModelLoadError,
    UrlModel,
    fetch,
)
from llamabox.api import Model, download, versions
from llamabox.api.split import first_part
from tests.api.hub_server import FakeHub
from tests.conftest import RandomModels

REPO = "someone/model"
NAME = "model.gguf"
CONTENT = b"GGUF" + bytes(range(256)) * 64
PARTS = [f"big-0000{i}-of-00003.gguf" for i in (1, 2, 3)]


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(download, "CHUNK", 1024)
        monkeypatch.setattr(download, "FIRST_DELAY", 0.005)
        server.files[REPO] = {NAME: CONTENT}
        server.says_hash = False
        yield server


def source_of(web: FakeHub, folder: Path, name: str = NAME, **fields: Any) -> UrlModel:
    url = f"{web.url}/{REPO}/resolve/main/{name}"
    return UrlModel(url=url, cache_dir=str(folder), **fields)


def left_over(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".part" in path.name]


class TestUrls:
    def test_a_file_comes_once(self, web: FakeHub, tmp_path: Path):
        shares: list[float] = []
        path = fetch(source_of(web, tmp_path), progress=shares.append)
        assert (path.name, path.read_bytes()) == (NAME, CONTENT)
        assert shares == sorted(shares)
        assert shares[-1] == 1
        assert fetch(source_of(web, tmp_path)) == path
        assert web.ranges == [0]
        assert not left_over(tmp_path)

    def test_a_new_version_replaces_it(self, web: FakeHub, tmp_path: Path):
        path = fetch(source_of(web, tmp_path))
        web.files[REPO][NAME] = b"GGUF" + CONTENT[:3:-1]
        assert fetch(source_of(web, tmp_path)) == path
        assert path.read_bytes() == web.files[REPO][NAME]

    def test_a_version_that_is_cut_leaves_the_old_one(self, web: FakeHub, tmp_path: Path):
        path = fetch(source_of(web, tmp_path))
        web.files[REPO][NAME] = CONTENT + b"more"
        web.n_cut, web.cut_after = 100, 0
        with pytest.raises(HubUnreachable):
            fetch(source_of(web, tmp_path))
        assert path.read_bytes() == CONTENT
        web.n_cut = 0
        assert fetch(source_of(web, tmp_path)).read_bytes() == CONTENT + b"more"

    def test_names_of_several_folders_do_not_collide(self, web: FakeHub, tmp_path: Path):
        web.files["someone/other"] = {NAME: CONTENT + b"other"}
        other = f"{web.url}/someone/other/resolve/main/{NAME}"
        paths = [
            fetch(source_of(web, tmp_path)),
            fetch(UrlModel(url=other, cache_dir=str(tmp_path))),
        ]
        assert [len(path.read_bytes()) - len(CONTENT) for path in paths] == [0, 5]

    def test_all_parts_of_a_split_model_come(self, web: FakeHub, tmp_path: Path):
        web.files[REPO] = {name: CONTENT + name.encode() for name in PARTS}
        path = fetch(source_of(web, tmp_path, PARTS[1]))
        assert path.name == PARTS[0]
        for name in PARTS:
            assert path.with_name(name).read_bytes() == CONTENT + name.encode()

    def test_the_environment_names_the_folder(
        self, web: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        url = source_of(web, tmp_path).url
        for name, folder in (("LLAMA_CACHE", "a"), ("XDG_CACHE_HOME", "b")):
            monkeypatch.delenv("LLAMA_CACHE", raising=False)
            monkeypatch.setenv(name, str(tmp_path / folder))
            assert (tmp_path / folder) in fetch(UrlModel(url=url)).parents

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "model.gguf",
            "ftp://host/model.gguf",
            "file:///model.gguf",
            "https:///model.gguf",
            "https://host",
            "https://host/folder/",
            "https://host/..",
            "https://host/folder/..%2F..%2Fmodel.gguf",
            "https://host/%2Fetc%2Fmodel.gguf",
            "https://host/model%00.gguf",
            "https://user:pass@host/model.gguf",
            "https://host:99999/model.gguf",
            "https://host/a b.gguf",
            "https://[host/a.gguf",
        ],
    )
    def test_what_is_no_url_of_a_file_is_refused(self, url: str):
        with pytest.raises(InvalidRequest) as refusal:
            UrlModel(url=url)
        assert refusal.value.param == "model_url"

    def test_secrets_are_not_told(self, web: FakeHub, tmp_path: Path):
        source = source_of(web, tmp_path, "no.gguf?key=s3cret", token="hidden")
        assert "s3cret" not in repr(source)
        with pytest.raises(HubNotFound) as refusal:
            fetch(source)
        assert "s3cret" not in str(refusal.value)
        assert "hidden" not in repr(source) + str(refusal.value)


class TestResuming:
    @pytest.mark.parametrize("cut_after", [0, 2, 1000, len(CONTENT) - 1])
    def test_a_cut_connection_goes_on(self, web: FakeHub, tmp_path: Path, cut_after: int):
        web.n_cut, web.cut_after = 2, cut_after
        assert fetch(source_of(web, tmp_path)).read_bytes() == CONTENT
        assert web.ranges[:2] == [0, cut_after]

    def test_tries_that_bring_nothing_are_bounded(self, web: FakeHub, tmp_path: Path):
        web.n_cut, web.cut_after = 1000, 0
        with pytest.raises(HubUnreachable, match=r"ended after 0 of \d+ bytes"):
            fetch(source_of(web, tmp_path))
        assert len(web.ranges) == download.RETRIES + 1

    def test_another_process_goes_on(self, web: FakeHub, tmp_path: Path):
        source = source_of(web, tmp_path)
        with pytest.raises(HubError, match="given up"):
            fetch(source, progress=lambda share: share < 0.5)
        code = (
            "import sys, llamabox; print(llamabox.fetch("
            "llamabox.UrlModel(url=sys.argv[1], cache_dir=sys.argv[2])))"
        )
        argv = [sys.executable, "-c", code, source.url, str(tmp_path)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        assert Path(done.stdout.strip()).read_bytes() == CONTENT
        assert len(web.ranges) == 2
        assert 0.4 * len(CONTENT) < web.ranges[1] < 0.7 * len(CONTENT)

    def test_of_another_version_nothing_is_kept(self, web: FakeHub, tmp_path: Path):
        source = source_of(web, tmp_path)
        with pytest.raises(HubError, match="given up"):
            fetch(source, progress=lambda share: share < 0.5)
        web.files[REPO][NAME] = b"GGUF" + CONTENT[:3:-1]
        assert fetch(source).read_bytes() == web.files[REPO][NAME]

    @pytest.mark.parametrize("says_hash", [False, True])
    @pytest.mark.parametrize("n", [len(CONTENT), 9000])
    def test_a_file_may_change_meanwhile(
        self, web: FakeHub, tmp_path: Path, says_hash: bool, n: int
    ):
        web.says_hash = says_hash
        web.n_cut, web.cut_after = 1, 8000
        changed = b"GGUF" + bytes(n - 4)

        def change(share: float) -> None:
            if share > 0.2:
                web.files[REPO][NAME] = changed

        assert fetch(source_of(web, tmp_path), progress=change).read_bytes() == changed

    def test_a_server_without_ranges_sends_all_of_it_again(self, web: FakeHub, tmp_path: Path):
        web.knows_ranges = False
        web.n_cut, web.cut_after = 1, 1000
        assert fetch(source_of(web, tmp_path)).read_bytes() == CONTENT

    def test_a_weak_etag_resumes_nothing(self, web: FakeHub, tmp_path: Path):
        web.etags[NAME] = 'W/"1"'
        with pytest.raises(HubError, match="given up"):
            fetch(source_of(web, tmp_path), progress=lambda share: share < 0.5)
        assert fetch(source_of(web, tmp_path)).read_bytes() == CONTENT
        assert web.ranges == [0, 0]

    def test_a_partial_file_that_is_too_long_begins_anew(self, web: FakeHub, tmp_path: Path):
        source = source_of(web, tmp_path)
        with pytest.raises(HubError, match="given up"):
            fetch(source, progress=lambda share: share < 0.5)
        (partial,) = [path for path in left_over(tmp_path) if path.suffix == ".part"]
        partial.write_bytes(CONTENT + b"too long")
        assert fetch(source).read_bytes() == CONTENT

    def test_a_partial_file_may_be_whole(self, web: FakeHub, tmp_path: Path):
        source = source_of(web, tmp_path)
        with pytest.raises(HubError, match="given up"):
            fetch(source, progress=lambda share: share < 0.5)
        (partial,) = [path for path in left_over(tmp_path) if path.suffix == ".part"]
        partial.write_bytes(CONTENT)
        assert fetch(source).read_bytes() == CONTENT

    @pytest.mark.parametrize("etags", [{}, {NAME: ""}])
    def test_two_at_a_time_download_it_once(
        self, web: FakeHub, tmp_path: Path, etags: dict[str, str]
    ):
        web.etags = etags
        source = source_of(web, tmp_path)
        paths: list[Path] = []
        threads = [threading.Thread(target=lambda: paths.append(fetch(source))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [path.read_bytes() for path in paths] == [CONTENT] * 3
        assert web.ranges.count(0) == 1

    def test_a_beginning_may_be_given_up_while_it_is_read(self, web: FakeHub, tmp_path: Path):
        source = source_of(web, tmp_path)
        with pytest.raises(HubError, match="given up"):
            fetch(source, progress=lambda share: share < 0.5)
        with pytest.raises(HubError, match="given up"):
            fetch(source, progress=lambda share: False)
        assert len(web.ranges) == 1

    def test_an_end_between_the_file_and_its_version(
        self, web: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        source = source_of(web, tmp_path)

        def end(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(versions.Version, "move", end)
            with pytest.raises(KeyboardInterrupt):
                fetch(source)
        web.files[REPO][NAME] = CONTENT + b"new"
        assert fetch(source).read_bytes() == CONTENT + b"new"


class TestChecks:
    def test_a_wrong_checksum_is_refused(self, web: FakeHub, tmp_path: Path):
        web.says_hash = True
        web.wrong[NAME] = CONTENT[:-1] + b"!"
        with pytest.raises(HubFileDamaged, match="SHA-256"):
            fetch(source_of(web, tmp_path))
        assert not [path for path in left_over(tmp_path) if path.suffix == ".part"]
        web.wrong.clear()
        assert fetch(source_of(web, tmp_path)).read_bytes() == CONTENT

    def test_the_hubs_checksum_too(self, web: FakeHub, tmp_path: Path):
        web.wrong[NAME] = CONTENT[:-1] + b"!"
        source = HubModel(repo=REPO, cache_dir=str(tmp_path))
        with pytest.raises(HubFileDamaged, match="SHA-256"):
            fetch(source)
        web.wrong.clear()
        path = fetch(source)
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(CONTENT).digest()

    def test_a_spoilt_beginning_is_fetched_again(self, web: FakeHub, tmp_path: Path):
        source = HubModel(repo=REPO, cache_dir=str(tmp_path))
        with pytest.raises(HubError, match="given up"):
            fetch(source, progress=lambda share: share < 0.5)
        (partial,) = left_over(tmp_path)
        partial.write_bytes(b"spoilt" + partial.read_bytes()[6:])
        assert fetch(source).read_bytes() == CONTENT

    @pytest.mark.parametrize("content", [b"<!DOCTYPE html>", b"", b"GG", b"GGML" * 99])
    def test_what_is_no_gguf_file_is_refused(self, web: FakeHub, tmp_path: Path, content: bytes):
        web.files[REPO][NAME] = content
        with pytest.raises(ModelLoadError, match="GGUF"):
            Model.load(fetch(source_of(web, tmp_path)))
        assert not list(tmp_path.rglob(NAME))

    def test_redirects_give_the_token_to_nobody_else(self, web: FakeHub, tmp_path: Path):
        with FakeHub() as other:
            other.files[REPO] = {NAME: CONTENT}
            # The package takes another port for the same server.
            web.redirect_to = other.url.replace("127.0.0.1", "localhost")
            web.tokens[REPO] = "hf_right"
            sources = [
                source_of(web, tmp_path, token="hf_right"),
                HubModel(repo=REPO, token="hf_right", cache_dir=str(tmp_path)),
            ]
            for source in sources:
                assert fetch(source).read_bytes() == CONTENT
            assert set(web.seen) == {"Bearer hf_right"}
            assert set(other.seen) == {""}


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "kind", "said"),
        [
            (401, HubAccessDenied, "token"),
            (403, HubAccessDenied, "token"),
            (404, HubNotFound, "not on the server"),
            (410, HubNotFound, "not on the server"),
            (400, HubUnreachable, "status 400"),
            (416, HubUnreachable, "status 416"),
            (429, HubUnreachable, "status 429"),
            (503, HubUnreachable, "status 503"),
        ],
    )
    def test_a_status_is_one_line(
        self, web: FakeHub, tmp_path: Path, status: int, kind: type[HubError], said: str
    ):
        web.status = status
        with pytest.raises(kind, match=said) as refusal:
            fetch(source_of(web, tmp_path))
        assert "\n" not in str(refusal.value)
        assert NAME in str(refusal.value)

    @pytest.mark.parametrize("url", ["http://[::1", "http://a..b", "http://a:b", "gopher://a"])
    def test_a_redirect_to_nowhere(self, web: FakeHub, tmp_path: Path, url: str):
        web.redirect_to = url
        with pytest.raises(HubUnreachable, match=NAME):
            fetch(source_of(web, tmp_path))

    def test_nobody_answers(self, web: FakeHub, tmp_path: Path):
        source = source_of(web, tmp_path)
        path = fetch(source)
        web.stop()
        assert fetch(source) == path
        with pytest.raises(HubUnreachable, match="refused"):
            fetch(source_of(web, tmp_path / "elsewhere"))

    def test_offline_asks_nobody(self, web: FakeHub, tmp_path: Path):
        with pytest.raises(HubUnreachable, match="offline"):
            fetch(source_of(web, tmp_path, offline=True))
        path = fetch(source_of(web, tmp_path))
        n = web.counts.total()
        assert fetch(source_of(web, tmp_path, offline=True)) == path
        assert web.counts.total() == n

    def test_a_full_disk(self, web: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(
            download.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 99})
        )
        with pytest.raises(HubError, match=r"no space left .* 1 MiB are needed, 0 are free"):
            fetch(source_of(web, tmp_path))
        assert web.counts["GET file"] == 1

    @pytest.mark.parametrize(
        ("code", "said"), [(errno.ENOSPC, "no space left"), (errno.EIO, "cannot be written")]
    )
    def test_writing_fails(
        self,
        web: FakeHub,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        code: int,
        said: str,
    ):
        def fail(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(download.os, "fsync", fail)
        with pytest.raises(ModelLoadError, match=said) as refusal:
            fetch(source_of(web, tmp_path))
        assert str(tmp_path) in str(refusal.value)
        monkeypatch.undo()

    @pytest.mark.parametrize("kind", [UrlModel, HubModel])
    def test_a_folder_that_cannot_be_made(self, web: FakeHub, tmp_path: Path, kind: type):
        (tmp_path / "file").write_bytes(b"")
        folder = tmp_path / "file" / "cache"
        source = source_of(web, folder)
        if kind is HubModel:
            source = HubModel(repo=REPO, cache_dir=str(folder))
        with pytest.raises(ModelLoadError, match="cannot be written"):
            fetch(source)

    @pytest.mark.parametrize("offline", [False, True])
    @pytest.mark.parametrize("kind", [UrlModel, HubModel])
    def test_a_folder_that_cannot_be_looked_into(
        self, web: FakeHub, tmp_path: Path, kind: type, offline: bool
    ):
        folder = tmp_path / ("n" * 256)
        source = source_of(web, folder, offline=offline)
        if kind is HubModel:
            source = HubModel(repo=REPO, cache_dir=str(folder), offline=offline)
        with pytest.raises(HubError, match="File name too long"):
            fetch(source)

    def test_a_folder_of_nobody(self, web: FakeHub):
        folder = "~no.such.user/x"
        for source in (source_of(web, Path(folder)), HubModel(repo=REPO, cache_dir=folder)):
            with pytest.raises(HubError, match=folder):
                fetch(source)


class TestSplitFiles:
    @pytest.fixture
    def parts(self, tmp_path: Path) -> list[Path]:
        paths = [tmp_path / name for name in PARTS]
        for path in paths:
            path.write_bytes(b"GGUF")
        return paths

    @pytest.mark.parametrize("i", [0, 1, 2])
    def test_any_part_names_the_model(self, parts: list[Path], i: int):
        assert first_part(parts[i]) == parts[0]

    @pytest.mark.parametrize("missing", [0, 1, 2])
    @pytest.mark.parametrize("i", [0, 2])
    def test_a_missing_part_is_named(self, parts: list[Path], i: int, missing: int):
        parts[missing].unlink()
        with pytest.raises(ModelLoadError, match=f"1 of them is missing: {PARTS[missing]}"):
            Model.load(parts[i])

    @pytest.mark.parametrize("name", ["a-of-00003", "a-00001-of-00000", "a-00004-of-00003"])
    def test_another_name_is_the_file_itself(self, tmp_path: Path, name: str):
        assert first_part(tmp_path / f"{name}.gguf") == tmp_path / f"{name}.gguf"

    def test_the_first_is_loaded(self, random_models: RandomModels, tmp_path: Path):
        for name in PARTS:
            (tmp_path / name).write_bytes(random_models("llama").read_bytes())
        with Model.load(tmp_path / PARTS[2]) as model:
            assert model.path.name == PARTS[0]
