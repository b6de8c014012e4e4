"""Files of the second tier: one for each block of a prefix, in one directory.

A file is found by its name, which is a digest of everything that its cells depend on: the
fingerprint of model and context, the key, and all tokens up to the block's end. Inside are a
header, the block's tokens and its cells; the header has a checksum of all that. So a file that is
torn, changed, swapped or somebody else's is no hit, and is seen before llama.cpp gets any of it.

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
import struct
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

logger = logging.getLogger("llamabox.prefixes")

MAGIC = b"llamabox"
VERSION = 1
"""To be changed with anything that changes what a file says."""
HEADER = struct.Struct("<8sII32s32sqIIQ")
"""Magic, version, tokens, fingerprint, digest of the parent, key, position, 0, bytes of cells."""
N_CHECKSUM = 32
N_HEAD = HEADER.size + N_CHECKSUM
NAME = re.compile(r"[0-9a-f]{16}-[0-9a-f]{48}\.prefix")
TEMPORARY = re.compile(r"(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-\d+\.prefix\.tmp")
NO_TOKENS = bytes(N_CHECKSUM)
"""Digest of what is in front of the first block."""
MAX_TOKENS = 1 << 16
ABANDONED = 3600.0
"""Seconds after which another machine's temporary file is taken for a dead one's."""
TOUCH_EVERY = 60.0
LOW_WATER = 0.95
CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
N_SCANNED = 64
"""Files that are read between two looks at what else there is to do."""

Found = tuple[int, int, int, int, "array[int]", int, bytes]
"""File, file of the parent, key, position, tokens, bytes of cells, digest."""


class FileJob(Protocol):
    """What the core wants done with a file."""

    file: int
    digest: bytes
    kind: str
    key: int
    begin: int
    tokens: bytes
    parent_digest: bytes
    n_bytes: int
    data: Any

    def room(self) -> Any: ...


class BadFile(Exception):
    """A file is not what its name says."""


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
        self._fingerprint = hashlib.blake2b(fingerprint, digest_size=32).digest()
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
        except (OSError, MemoryError, BufferError) as error:
            self._warn("prefixes: %s of a file fails: %s", job.kind, error)
            return False
        return True

    def take_gone(self) -> list[int]:
        """Numbers of files that are not there any more; each is told of once."""
        gone, self._gone = self._gone, []
        return gone

    def n_files(self) -> int:
        """Files of this fingerprint that are there now."""
        return sum(item.name.startswith(self._prefix) for item in os.scandir(self._folder))

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
            if self._by_name.setdefault(self._name(entry.digest), entry) is not entry:
                continue
            parent = self._by_name.get(self._name(entry.parent))
            self._by_number[entry.number] = entry
            number = parent.number if parent else 0
            yield entry.number, number, key, begin, tokens, n_bytes, entry.digest

    def _sweep(self) -> list[str]:
        """Names of this fingerprint's files, and no temporary ones of dead processes."""
        names: list[str] = []
        n_bytes = 0
        for item in list(os.scandir(self._folder)):
            if NAME.fullmatch(item.name):
                info = item.stat(follow_symlinks=False)
                if not stat.S_ISREG(info.st_mode):
                    logger.warning("prefixes: %s is no file, left alone", item.path)
                    continue
                n_bytes += info.st_size
                if item.name.startswith(self._prefix):
                    names.append(item.name)
            elif (match := TEMPORARY.fullmatch(item.name)) and _is_abandoned(
                match["host"] == self._host, int(match["pid"]), item
            ):
                _remove(Path(item.path))
        self._n_bytes = n_bytes
        return names

    @property
    def _prefix(self) -> str:
        return f"{self._fingerprint[:8].hex()}-"

    def _look_at(self, name: str) -> tuple[Entry, tuple[Any, ...]] | None:
        """What a file says of itself; None, and it is removed, if it is not what its name says."""
        try:
            with _open(self._folder / name) as file:
                fields, tokens = self._read_head(file, name)
        except FileNotFoundError:
            return None
        except (BadFile, OSError) as error:
            self._discard(name, str(error))
            return None
        parent, key, begin, n_bytes = fields
        entry = Entry(self._new_number(), self._digest(parent, key, begin, tokens), parent, begin)
        return entry, (key, begin, array("i", tokens), n_bytes)

    def _read_head(self, file: Any, name: str) -> tuple[tuple[bytes, int, int, int], bytes]:
        """Parent, key, position and bytes of cells; and the tokens.

        :raises BadFile: they are not those of its name.
        """
        head = file.read(N_HEAD)
        if len(head) < N_HEAD:
            raise BadFile("it is truncated")
        magic, version, n_tokens, fingerprint, parent, key, begin, _, n_bytes = HEADER.unpack(
            head[: HEADER.size]
        )
        if (magic, version, fingerprint) != (MAGIC, VERSION, self._fingerprint):
            raise BadFile("it is of another kind, version, model or context")
        if not 0 < n_tokens <= MAX_TOKENS:
            raise BadFile("it has no tokens, or too many")
        tokens = file.read(4 * n_tokens)
        size = os.fstat(file.fileno()).st_size
        if size != N_HEAD + 4 * n_tokens + n_bytes:
            raise BadFile(f"it has {size} bytes, which is not what it says")
        if self._name(self._digest(parent, key, begin, tokens)) != name:
            raise BadFile("it holds other tokens than its name says")
        return (parent, key, begin, n_bytes), tokens

    def _write(self, job: FileJob) -> bool:
        digest = self._digest(job.parent_digest, job.key, job.begin, job.tokens)
        job.digest = digest
        entry = self._by_name.get(self._name(digest))
        if entry is None:
            size = N_HEAD + len(job.tokens) + job.n_bytes
            if not self._make_room(size):
                return False
            self._write_file(self._name(digest), job)
            self._n_bytes += size
            entry = Entry(self._new_number(), digest, job.parent_digest, job.begin)
            self._by_name[self._name(digest)] = self._by_number[entry.number] = entry
        job.file = entry.number
        return True

    def _write_file(self, name: str, job: FileJob) -> None:
        self._n_temporary += 1
        temporary = self._folder / (f"{self._host}-{os.getpid()}-{self._n_temporary}.prefix.tmp")
        header = HEADER.pack(
            MAGIC,
            VERSION,
            len(job.tokens) // 4,
            self._fingerprint,
            job.parent_digest,
            job.key,
            job.begin,
            0,
            job.n_bytes,
        )
        parts = [header, _checksum(header, job.tokens, job.data), job.tokens, job.data]
        try:
            with os.fdopen(os.open(temporary, CREATE, 0o600), "wb") as file:
                for part in parts:
                    file.write(part)
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
        name = self._name(entry.digest)
        try:
            with _open(self._folder / name) as file:
                self._read_cells(file, name, job)
        except FileNotFoundError:
            self._forget(entry)
            return False
        except (BadFile, OSError) as error:
            self._discard(name, str(error))
            self._forget(entry)
            return False
        return True

    def _read_cells(self, file: Any, name: str, job: FileJob) -> None:
        """:raises BadFile: they are not the cells of these tokens, or not as they were written."""
        (_, key, begin, n_bytes), tokens = self._read_head(file, name)
        if (key, begin, n_bytes, tokens) != (job.key, job.begin, job.n_bytes, job.tokens):
            raise BadFile("it holds another block")
        file.seek(0)
        head = file.read(N_HEAD)
        file.seek(len(tokens), os.SEEK_CUR)
        room = job.room()
        if file.readinto(room) != n_bytes:
            raise BadFile("it is truncated")
        if _checksum(head[: HEADER.size], tokens, room) != head[HEADER.size :]:
            raise BadFile("its checksum is wrong")

    def _touch(self, number: int) -> None:
        """Count a file and those in front of it as used."""
        now = time.monotonic()
        entry = self._by_number.get(number)
        while entry is not None and (entry.t_touched == 0 or now > entry.t_touched + TOUCH_EVERY):
            entry.t_touched = now
            with contextlib.suppress(FileNotFoundError):
                _stamp(self._folder / self._name(entry.digest), entry.depth)
            entry = self._by_name.get(self._name(entry.parent))

    def _delete(self, number: int) -> None:
        entry = self._by_number.get(number)
        if entry is not None:
            path = self._folder / self._name(entry.digest)
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
        self._by_name.pop(self._name(entry.digest), None)
        self._by_number.pop(entry.number, None)
        self._gone.append(entry.number)

    def _digest(self, parent: bytes, key: int, begin: int, tokens: bytes) -> bytes:
        """Of all tokens up to a block's end, and what their cells depend on."""
        data = b"".join((self._fingerprint, parent, struct.pack("<qI", key, begin), tokens))
        return hashlib.blake2b(data, digest_size=32).digest()

    def _name(self, digest: bytes) -> str:
        return f"{self._prefix}{digest[:24].hex()}.prefix"

    def _new_number(self) -> int:
        self._n_numbers += 1
        return self._n_numbers

    def _warn(self, text: str, *args: object) -> None:
        """Log a failure of the directory, loudly once."""
        level = logging.DEBUG if self._has_warned else logging.WARNING
        self._has_warned = True
        logger.log(level, text, *args)


def _checksum(header: bytes, tokens: bytes, data: Any) -> bytes:
    hasher = hashlib.blake2b(header, digest_size=N_CHECKSUM)
    hasher.update(tokens)
    hasher.update(data)
    return hasher.digest()


def _open(path: Path) -> Any:
    """A regular file, for reading; not what a link leads to.

    :raises BadFile: it is something else.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadFile("it is no regular file")
        return os.fdopen(descriptor, "rb", buffering=0)
    except BaseException:
        os.close(descriptor)
        raise


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
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
