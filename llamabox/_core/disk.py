"""The directory of the second tier: one file for each block of a prefix (`block_file`).

Files are written under another name and renamed. There is no fsync: what a power cut tears, the
checksum finds, and a lost file is computed again. Processes may share a directory: each sees what
was there when it started and what it wrote; files of others may go at any time. The directory's
bound counts all of them, and the one used longest ago goes first, by its time of modification.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import os
import re
import socket
import stat
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .block_file import N_HEAD, NAME, NO_TOKENS, BadFile, BlockFormat, FileJob, open_block

logger = logging.getLogger("llamabox.prefixes")

TEMPORARY = re.compile(r"(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-\d+\.prefix\.tmp")
ABANDONED = 3600.0
"""Seconds after which another machine's temporary file is taken for a dead one's."""
TOUCH_EVERY = 60.0
LOW_WATER = 0.95
N_SCANNED = 64
"""Files that are read between two looks at what else there is to do."""

Found = tuple[int, int, int, int, "array[int]", int, bytes]
"""File, file of the parent, key, position, tokens, bytes of cells, digest."""


@dataclasses.dataclass(slots=True)
class Entry:
    """A file that this process knows of.

    :param number: what the core calls it.
    :param parent: digest of what is in front of its block.
    :param depth: position of its block.
    :param t_touched: seconds of the monotonic clock; when it was last counted as used.
    """

    number: int
    digest: bytes
    parent: bytes
    depth: int
    t_touched: float = 0.0


class PrefixFiles:
    """The files of one engine's blocks; for the worker alone.

    :param folder: made if it is not there.
    :param max_bytes: of all files in it.
    :param fingerprint: of the model, llama.cpp and the context.
    """

    def __init__(self, folder: Path, max_bytes: int, fingerprint: bytes) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._format = BlockFormat(fingerprint)
        self._by_name: dict[str, Entry] = {}
        self._by_number: dict[int, Entry] = {}
        self._gone: list[int] = []
        self._n_numbers = 0
        self._n_temporary = 0
        self._n_bytes = 0
        self._host = hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
        self._has_warned = False

    def do(self, job: FileJob) -> bool:
        """Do a job; whether it has succeeded."""
        try:
            if job.kind == "write":
                return self._write(job)
            if job.kind == "read":
                return self._read(job)
            if job.kind == "touch":
                self._touch(job.file)
            else:
                self._delete(job.file)
        except Exception as error:  # whatever it is, there are other jobs
            self._warn("prefixes: %s of a file fails: %s", job.kind, error)
            return False
        return True

    def take_gone(self) -> list[int]:
        """Numbers of files that are not there any more; each is told of once."""
        gone, self._gone = self._gone, []
        return gone

    def n_files(self) -> int:
        """Files of this fingerprint that are there now."""
        return sum(item.name.startswith(self._format.prefix) for item in os.scandir(self._folder))

    def scan(self) -> Iterator[Found | None]:
        """What is in the directory, parents before children; None between looks at files."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = self._sweep()
        except OSError as error:
            self._warn("prefixes: %s: %s", self._folder, error)
            return
        waiting: dict[bytes, list[tuple[Entry, tuple[Any, ...]]]] = {}
        for i, name in enumerate(names):
            if i % N_SCANNED == 0:
                yield None
            if head := self._look_at(name):
                waiting.setdefault(head[0].parent, []).append(head)
        ready = waiting.pop(NO_TOKENS, [])
        while ready:
            entry, (key, begin, tokens, n_bytes) = ready.pop()
            ready += waiting.pop(entry.digest, [])
            if self._by_name.setdefault(self._format.name(entry.digest), entry) is not entry:
                continue
            parent = self._by_name.get(self._format.name(entry.parent))
            self._by_number[entry.number] = entry
            number = parent.number if parent else 0
            yield entry.number, number, key, begin, tokens, n_bytes, entry.digest

    def _sweep(self) -> list[str]:
        """Names of this fingerprint's files, and no temporary ones of dead processes."""
        names: list[str] = []
        n_bytes = 0
        for item in list(os.scandir(self._folder)):
            if NAME.fullmatch(item.name):
                with contextlib.suppress(FileNotFoundError):
                    info = item.stat(follow_symlinks=False)
                    if not stat.S_ISREG(info.st_mode):
                        logger.warning("prefixes: %s is no file, left alone", item.path)
                        continue
                    n_bytes += info.st_size
                    if item.name.startswith(self._format.prefix):
                        names.append(item.name)
            elif (match := TEMPORARY.fullmatch(item.name)) and _is_abandoned(
                match["host"] == self._host, int(match["pid"]), item
            ):
                _remove(Path(item.path))
        self._n_bytes = n_bytes
        return names

    def _look_at(self, name: str) -> tuple[Entry, tuple[Any, ...]] | None:
        """What a file says of itself; None, and it is removed, if it is not what its name says."""
        try:
            with open_block(self._folder / name) as file:
                fields, tokens = self._format.read_head(file, name)
        except FileNotFoundError:
            return None
        except (BadFile, OSError) as error:
            self._discard(name, str(error))
            return None
        parent, key, begin, n_bytes = fields
        entry = Entry(
            self._new_number(), self._format.digest(parent, key, begin, tokens), parent, begin
        )
        return entry, (key, begin, array("i", tokens), n_bytes)

    def _write(self, job: FileJob) -> bool:
        digest = self._format.digest(job.parent_digest, job.key, job.begin, job.tokens)
        job.digest = digest
        entry = self._by_name.get(self._format.name(digest))
        if entry is None:
            size = N_HEAD + len(job.tokens) + job.n_bytes
            if not self._make_room(size):
                return False
            self._write_file(self._format.name(digest), job)
            self._n_bytes += size
            entry = Entry(self._new_number(), digest, job.parent_digest, job.begin)
            self._by_name[self._format.name(digest)] = self._by_number[entry.number] = entry
        job.file = entry.number
        return True

    def _write_file(self, name: str, job: FileJob) -> None:
        self._n_temporary += 1
        temporary = self._folder / (f"{self._host}-{os.getpid()}-{self._n_temporary}.prefix.tmp")
        try:
            self._format.write(temporary, job)
            _stamp(temporary, job.begin)
            temporary.replace(self._folder / name)
        except OSError:
            _remove(temporary)
            raise

    def _read(self, job: FileJob) -> bool:
        """Fill the job's room with the cells of its file."""
        entry = self._by_number.get(job.file)
        if entry is None:
            return False
        name = self._format.name(entry.digest)
        try:
            with open_block(self._folder / name) as file:
                self._format.read_cells(file, name, job)
        except FileNotFoundError:
            self._forget(entry)
            return False
        except (BadFile, OSError) as error:
            self._discard(name, str(error))
            self._forget(entry)
            return False
        return True

    def _touch(self, number: int) -> None:
        """Count a file and those in front of it as used."""
        now = time.monotonic()
        entry = self._by_number.get(number)
        while entry is not None and (entry.t_touched == 0 or now > entry.t_touched + TOUCH_EVERY):
            entry.t_touched = now
            with contextlib.suppress(FileNotFoundError):
                _stamp(self._folder / self._format.name(entry.digest), entry.depth)
            entry = self._by_name.get(self._format.name(entry.parent))

    def _delete(self, number: int) -> None:
        entry = self._by_number.get(number)
        if entry is not None:
            path = self._folder / self._format.name(entry.digest)
            with contextlib.suppress(FileNotFoundError):
                size = path.lstat().st_size
                path.unlink()
                self._n_bytes -= size
            self._forget(entry)

    def _make_room(self, n_bytes: int) -> bool:
        """Remove what was used longest ago, of anyone's, until so much fits; False if it cannot."""
        if n_bytes > self._max_bytes:
            return False
        if self._n_bytes + n_bytes <= self._max_bytes:
            return True
        files: list[tuple[int, int, str]] = []
        for item in list(os.scandir(self._folder)):
            if NAME.fullmatch(item.name):
                with contextlib.suppress(FileNotFoundError):
                    info = item.stat(follow_symlinks=False)
                    if stat.S_ISREG(info.st_mode):
                        files.append((info.st_mtime_ns, info.st_size, item.name))
        files.sort()
        self._n_bytes = sum(size for _, size, _ in files)
        wanted = min(self._max_bytes - n_bytes, int(LOW_WATER * self._max_bytes))
        for _, size, name in files:
            if self._n_bytes <= wanted:
                break
            _remove(self._folder / name)
            self._n_bytes -= size
            if entry := self._by_name.get(name):
                self._forget(entry)
        return self._n_bytes + n_bytes <= self._max_bytes

    def _discard(self, name: str, reason: str) -> None:
        """Remove a file that cannot be used, and say so."""
        logger.warning("prefixes: %s is not used: %s", self._folder / name, reason)
        path = self._folder / name
        with contextlib.suppress(OSError):
            if stat.S_ISREG(path.lstat().st_mode):
                path.unlink()

    def _forget(self, entry: Entry) -> None:
        self._by_name.pop(self._format.name(entry.digest), None)
        self._by_number.pop(entry.number, None)
        self._gone.append(entry.number)

    def _new_number(self) -> int:
        self._n_numbers += 1
        return self._n_numbers

    def _warn(self, text: str, *args: object) -> None:
        """Log a failure of the directory, loudly once."""
        level = logging.DEBUG if self._has_warned else logging.WARNING
        self._has_warned = True
        logger.log(level, text, *args)


def _stamp(path: Path, depth: int) -> None:
    """Count a file as used now; a child a little before its parent, which it is useless without."""
    now = time.time_ns() - depth * 1_000_000
    os.utime(path, ns=(now, now))


def _is_abandoned(is_ours: bool, pid: int, item: os.DirEntry[str]) -> bool:
    """Whether the process that began a temporary file is gone; of another machine's, by its age."""
    if is_ours:
        return pid != os.getpid() and not _is_alive(pid)
    with contextlib.suppress(OSError):
        return time.time() - item.stat(follow_symlinks=False).st_mtime > ABANDONED
    return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
