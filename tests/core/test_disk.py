"""Files of the second tier: what is wrong with one is seen before anything of it is used."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llamabox._core import disk
from llamabox._core.block_file import HEADER, N_CHECKSUM, N_HEAD
from llamabox._core.disk import PrefixFiles
from tests.core.kinds import ENDLESS, check_output, in_both_layouts
from tests.core.running import Core, LoadedModel, SecondTier, eventually

N_BLOCK = 32
N_FILES = 200


class FileJob:
    """A job of a block at the beginning of a prefix."""

    def __init__(self, kind: str, tokens: list[int], data: bytes = b"", file: int = 0) -> None:
        self.kind, self.tokens, self.data, self.file = (
            kind,
            array("i", tokens).tobytes(),
            data,
            file,
        )
        self.key, self.begin, self.n_bytes = 0, 0, len(data)
        self.digest = self.parent_digest = bytes(32)

    def room(self) -> memoryview:
        self.read = bytearray(self.n_bytes)
        return memoryview(self.read)


def write(files: PrefixFiles, tokens: list[int], data: bytes) -> FileJob:
    job = FileJob("write", tokens, data)
    assert files.do(job)
    return job


def found(files: PrefixFiles) -> list[Any]:
    return [item for item in files.scan() if item is not None]


def opened(folder: Path, max_bytes: int = 1 << 20, fingerprint: bytes = b"x") -> PrefixFiles:
    files = PrefixFiles(folder, max_bytes, fingerprint)
    found(files)
    return files


# Each makes a file wrong in its own way.


def truncate(path: Path, rng: np.random.Generator) -> None:
    os.truncate(path, int(rng.integers(1, path.stat().st_size)))


def empty(path: Path, rng: np.random.Generator) -> None:
    os.truncate(path, 0)


def flip_anywhere(path: Path, rng: np.random.Generator) -> None:
    flip(path, int(rng.integers(path.stat().st_size)), rng)


def flip_tokens(path: Path, rng: np.random.Generator) -> None:
    flip(path, int(rng.integers(N_HEAD, N_HEAD + 4 * N_BLOCK)), rng)


def flip_cells(path: Path, rng: np.random.Generator) -> None:
    flip(path, int(rng.integers(N_HEAD + 4 * N_BLOCK, path.stat().st_size)), rng)


def flip(path: Path, at: int, rng: np.random.Generator) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << int(rng.integers(8))
    path.write_bytes(data)


def append(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(path.read_bytes() + rng.bytes(8))


def zeros_at_the_end(path: Path, rng: np.random.Generator) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-4096] + bytes(4096))


def swap_cells(path: Path, rng: np.random.Generator) -> None:
    others = sorted(other for other in path.parent.glob("*.prefix") if other.is_file())
    n_head = N_HEAD + 4 * N_BLOCK
    cells = [c for other in others[:5] if (c := other.read_bytes()[n_head:])]
    mine = path.read_bytes()[n_head:]
    other = next(c for c in cells if c != mine)
    path.write_bytes(path.read_bytes()[:n_head] + other)


def swap_file(path: Path, rng: np.random.Generator) -> None:
    others = [other for other in path.parent.glob("*.prefix") if other != path and other.is_file()]
    path.write_bytes(others[0].read_bytes())


def rewritten(at: int, value: bytes) -> Callable[[Path, np.random.Generator], None]:
    """Another value in the header, with a checksum that is right."""

    def rewrite(path: Path, rng: np.random.Generator) -> None:
        data = bytearray(path.read_bytes())
        data[at : at + len(value)] = value
        body = bytes(data[: HEADER.size]) + bytes(data[N_HEAD:])
        checksum = hashlib.blake2b(body, digest_size=N_CHECKSUM).digest()
        data[HEADER.size : N_HEAD] = checksum
        path.write_bytes(data)

    return rewrite


def without_cells(path: Path, rng: np.random.Generator) -> None:
    os.truncate(path, N_HEAD + 4 * N_BLOCK)
    rewritten(96, bytes(8))(path, rng)


def directory(path: Path, rng: np.random.Generator) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path, rng: np.random.Generator) -> None:
    target = path.with_suffix(".elsewhere")
    path.rename(target)
    path.symlink_to(target)


def pipe(path: Path, rng: np.random.Generator) -> None:
    path.unlink()
    os.mkfifo(path)


WRONGS = [
    truncate,
    empty,
    flip_anywhere,
    flip_tokens,
    flip_cells,
    append,
    zeros_at_the_end,
    swap_cells,
    swap_file,
    rewritten(8, (99).to_bytes(4, "little")),  # another version
    rewritten(16, bytes(32)),  # another model or context
    rewritten(80, (7).to_bytes(8, "little")),  # another key
    rewritten(88, (64).to_bytes(4, "little")),  # another position
    rewritten(12, (2**31).to_bytes(4, "little")),  # as many tokens as no file has
    rewritten(96, (2**63).to_bytes(8, "little")),  # and bytes
    without_cells,
    directory,
    link,
    pipe,
]


@in_both_layouts
def test_two_hundred_wrong_files_are_not_loaded_and_each_is_logged(
    tiny: LoadedModel, tmp_path: Path, caplog: pytest.LogCaptureFixture, partitioned: bool
) -> None:
    rng = np.random.default_rng(21)
    prompts = [tiny.random_prompt(rng, N_BLOCK + 1) for _ in range(N_FILES)]
    options = {"n_ctx": 256, "n_parallel": 2, "partitioned": partitioned}
    with Core(tiny, second=SecondTier(folder=tmp_path), **options) as core:
        for prompt in prompts:
            core.run(prompt[:N_BLOCK], 1)
    paths = sorted(tmp_path.glob("*.prefix"))
    assert len(paths) == N_FILES
    for i, path in enumerate(paths):
        WRONGS[i % len(WRONGS)](path, rng)
    caplog.set_level(logging.WARNING, "llamabox.prefixes")
    with Core(tiny, second=SecondTier(folder=tmp_path), **options) as core:
        scanned(core)
        results = [core.run(prompt, 2, params=ENDLESS) for prompt in prompts]
        assert core.stats()["n_tier_loaded_tokens"] == 0
    assert all(result.request.n_cached < N_BLOCK for result in results)
    for prompt, result in list(zip(prompts, results, strict=True))[::10]:
        check_output(tiny, prompt, result)
    unsaid = [
        (WRONGS[i % len(WRONGS)].__name__, path.name)
        for i, path in enumerate(paths)
        if path.name not in caplog.text
    ]
    assert unsaid == []


def test_a_chain_with_a_wrong_file_in_it_is_used_up_to_there(
    tiny: LoadedModel, tmp_path: Path
) -> None:
    rng = np.random.default_rng(22)
    prompt = tiny.random_prompt(rng, 10 * N_BLOCK + 1)
    options = {"n_ctx": 512, "n_parallel": 1}
    with Core(tiny, second=SecondTier(folder=tmp_path), **options) as core:
        first = core.run(prompt, 1)
    (path,) = [p for p in tmp_path.glob("*.prefix") if begin_of(p) == 4 * N_BLOCK]
    flip_cells(path, rng)
    for n_cached in (4 * N_BLOCK, 10 * N_BLOCK):
        with Core(tiny, second=SecondTier(folder=tmp_path), **options) as core:
            scanned(core)
            again = core.run(prompt, 1)
        assert again.request.n_cached == n_cached
        assert again.tokens == first.tokens


def scanned(core: Core) -> None:
    """Until the files that were there have been looked at, and the step thread was told."""
    jobs = core.scheduler.tier.jobs
    eventually(lambda: jobs.is_scanned, "the files are looked at")
    core.run([1, 2, 3], 1)


def begin_of(path: Path) -> int:
    return int(HEADER.unpack(path.read_bytes()[: HEADER.size])[6])


def test_what_was_written_is_read_and_found_by_another_process(tmp_path: Path) -> None:
    files = opened(tmp_path)
    job = write(files, [1, 2, 3], b"cells")
    assert job.file == write(files, [1, 2, 3], b"cells").file
    other = PrefixFiles(tmp_path, 1 << 20, b"x")
    ((number, parent, key, begin, tokens, n_bytes, digest),) = found(other)
    assert (parent, key, begin, list(tokens), n_bytes) == (0, 0, 0, [1, 2, 3], 5)
    assert digest == job.digest
    read = FileJob("read", [1, 2, 3], bytes(5), number)
    assert other.do(read)
    assert read.read == b"cells"
    assert found(PrefixFiles(tmp_path, 1 << 20, b"y")) == []


def test_a_file_that_somebody_removed_is_a_miss_and_told_of(tmp_path: Path) -> None:
    files = opened(tmp_path)
    job = write(files, [1, 2, 3], b"cells")
    next(tmp_path.glob("*.prefix")).unlink()
    assert not files.do(FileJob("read", [1, 2, 3], bytes(5), job.file))
    assert files.take_gone() == [job.file]
    assert files.take_gone() == []


def test_the_directory_keeps_to_its_bound_and_what_was_used_longest_ago_goes(
    tmp_path: Path,
) -> None:
    foreign = opened(tmp_path, fingerprint=b"y")
    write(foreign, [9], bytes(1000))
    os.utime(next(tmp_path.glob("*.prefix")), (1, 1))
    files = opened(tmp_path, 12_000)
    jobs = [write(files, [i], bytes(1000)) for i in range(8)]
    for i, path in enumerate(sorted(tmp_path.glob("*.prefix"), key=lambda p: p.stat().st_mtime)):
        os.utime(path, (10 + i, 10 + i))
    files.do(FileJob("touch", [], file=jobs[0].file))
    jobs += [write(files, [i], bytes(1000)) for i in range(8, 20)]
    sizes = [path.stat().st_size for path in tmp_path.glob("*.prefix")]
    assert 9_000 < sum(sizes) <= 12_000
    gone = files.take_gone()
    assert jobs[0].file not in gone[:6]
    assert jobs[1].file in gone
    assert jobs[-1].file not in gone
    assert found(PrefixFiles(tmp_path, 1 << 20, b"y")) == []
    assert not files.do(FileJob("write", [1], bytes(13_000)))


def test_parents_outlive_their_children(tmp_path: Path) -> None:
    files = opened(tmp_path)
    parent = write(files, [1], b"a")
    child = FileJob("write", [2], b"b")
    child.parent_digest, child.begin = parent.digest, 1
    assert files.do(child)
    by_time = sorted(tmp_path.glob("*.prefix"), key=lambda path: path.stat().st_mtime_ns)
    assert [begin_of(path) for path in by_time] == [1, 0]
    numbers = [item[:2] for item in found(PrefixFiles(tmp_path, 1 << 20, b"x"))]
    assert numbers[0][1] == 0
    assert numbers[1][1] == numbers[0][0]


def test_temporary_files_of_dead_processes_are_swept(tmp_path: Path) -> None:
    files = opened(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    host = files._host
    dead = tmp_path / f"{host}-{int(ended.stdout)}-1.prefix.tmp"
    nobodys = tmp_path / f"{host}-99999999999-1.prefix.tmp"
    mine = tmp_path / f"{host}-{os.getpid()}-1.prefix.tmp"
    alive = tmp_path / f"{host}-{os.getppid()}-1.prefix.tmp"
    old, new = (tmp_path / f"{name}-1-1.prefix.tmp" for name in ("00000000", "11111111"))
    others = tmp_path / "notes.txt"
    for path in (dead, nobodys, mine, alive, old, new, others):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    opened(tmp_path)
    assert set(tmp_path.iterdir()) == {mine, alive, new, others}


def test_files_that_go_while_the_folder_is_read_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = opened(tmp_path)
    for i in range(5):
        write(files, [i], b"cells")
    scandir = os.scandir

    def read_and_remove_one(folder: Path) -> list[os.DirEntry[str]]:
        items = list(scandir(folder))
        Path(items[2].path).unlink()
        return items

    monkeypatch.setattr(disk.os, "scandir", read_and_remove_one)
    other = PrefixFiles(tmp_path, 1 << 20, b"x")
    assert len(found(other)) == 4


def test_a_position_that_no_context_has_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = opened(tmp_path)
    job = FileJob("write", [1], b"cells")
    job.begin = 1 << 31
    assert files.do(job)
    assert found(PrefixFiles(tmp_path, 1 << 20, b"x")) == []
    assert "positions" in caplog.text


def test_a_job_that_nobody_expects_to_fail_is_a_failed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    files = opened(tmp_path)
    job = write(files, [1], b"cells")
    read = FileJob("read", [1], bytes(5), job.file)

    def fail() -> None:
        raise ValueError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(read, "room", fail)
        assert not files.do(read)
    assert "no room" in caplog.text
    assert files.do(read)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_a_file_that_cannot_be_written_leaves_nothing_and_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    files = opened(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_stamp", fail)
        for i in range(3):
            assert not files.do(FileJob("write", [i], b"cells"))
    assert list(tmp_path.iterdir()) == []
    assert caplog.text.count(os.strerror(code)) == 1
    write(files, [1], b"cells")


def test_a_file_that_cannot_be_read_is_a_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    files = opened(tmp_path)
    job = write(files, [1, 2, 3], b"cells")

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(disk, "open_block", fail)
    assert not files.do(FileJob("read", [1, 2, 3], bytes(5), job.file))
    assert os.strerror(errno.EIO) in caplog.text


def test_a_folder_that_cannot_be_made_is_logged_and_serving_goes_on(
    tiny: LoadedModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    prompt = tiny.random_prompt(np.random.default_rng(23), 100)
    second = SecondTier(folder=in_the_way / "folder")
    with Core(tiny, n_ctx=256, n_parallel=1, second=second) as core:
        for _ in range(3):
            check_output(tiny, prompt, core.run(prompt, 4, params=ENDLESS))
            core.run(tiny.random_prompt(np.random.default_rng(24), 200), 1)
    assert str(in_the_way) in caplog.text


def test_a_folder_that_goes_away_is_a_miss(tiny: LoadedModel, tmp_path: Path) -> None:
    rng = np.random.default_rng(25)
    prompts = [tiny.random_prompt(rng, 300) for _ in range(4)]
    folder = tmp_path / "prefixes"
    with Core(tiny, n_ctx=512, n_parallel=1, second=SecondTier(100_000, folder)) as core:
        for prompt in prompts:
            core.run(prompt, 4, params=ENDLESS)
            core.all_saved()
        shutil.rmtree(folder)
        for prompt in prompts:
            check_output(tiny, prompt, core.run(prompt, 4, params=ENDLESS))


def test_ten_thousand_files_are_known_in_seconds(tmp_path: Path) -> None:
    files = opened(tmp_path, 1 << 30)
    for i in range(10_000):
        write(files, [i % 100, i], b"cells")
    assert len(found(PrefixFiles(tmp_path, 1 << 30, b"x"))) == 10_000
