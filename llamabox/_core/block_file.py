"""The format of the second tier's files: one block of a prefix each.

A file is found by its name, which is a digest of everything that its cells depend on: the
fingerprint of model and context, the key, and all tokens up to the block's end. Inside are a
header, the block's tokens and its cells; the header has a checksum of all that. So a file that is
torn, changed, swapped or somebody else's is no hit, and is seen before llama.cpp gets any of it.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
from pathlib import Path
from typing import Any, Protocol

MAGIC = b"llamabox"
VERSION = 1
"""To be changed with anything that changes what a file says."""
HEADER = struct.Struct("<8sII32s32sqIIQ")
"""Magic, version, tokens, fingerprint, digest of the parent, key, position, 0, bytes of cells."""
N_CHECKSUM = 32
N_HEAD = HEADER.size + N_CHECKSUM
NAME = re.compile(r"[0-9a-f]{16}-[0-9a-f]{48}\.prefix")
NO_TOKENS = bytes(N_CHECKSUM)
"""Digest of what is in front of the first block."""
MAX_TOKENS = 1 << 16
MAX_BEGIN = (1 << 31) - 1 - MAX_TOKENS
CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC


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


class BlockFormat:
    """Names and contents of the files of one kind of cells.

    :param fingerprint: of the model, llama.cpp and the context.
    """

    def __init__(self, fingerprint: bytes) -> None:
        self._fingerprint = hashlib.blake2b(fingerprint, digest_size=32).digest()
        self.prefix = f"{self._fingerprint[:8].hex()}-"

    def digest(self, parent: bytes, key: int, begin: int, tokens: bytes) -> bytes:
        """Of all tokens up to a block's end, and what their cells depend on."""
        data = b"".join((self._fingerprint, parent, struct.pack("<qI", key, begin), tokens))
        return hashlib.blake2b(data, digest_size=32).digest()

    def name(self, digest: bytes) -> str:
        """Of the file whose block has this digest."""
        return f"{self.prefix}{digest[:24].hex()}.prefix"

    def read_head(self, file: Any, name: str) -> tuple[tuple[bytes, int, int, int], bytes]:
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
        if n_bytes == 0 or begin > MAX_BEGIN:
            raise BadFile("it has no cells, or they have no positions")
        tokens = file.read(4 * n_tokens)
        size = os.fstat(file.fileno()).st_size
        if size != N_HEAD + 4 * n_tokens + n_bytes:
            raise BadFile(f"it has {size} bytes, which is not what it says")
        if self.name(self.digest(parent, key, begin, tokens)) != name:
            raise BadFile("it holds other tokens than its name says")
        return (parent, key, begin, n_bytes), tokens

    def write(self, path: Path, job: FileJob) -> None:
        """Write a job's block to a file that is not there yet."""
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
        with os.fdopen(os.open(path, CREATE, 0o600), "wb") as file:
            for part in parts:
                file.write(part)

    def read_cells(self, file: Any, name: str, job: FileJob) -> None:
        """Fill the job's room with the cells of its file.

        :raises BadFile: they are not the cells of these tokens, or not as they were written.
        """
        (_, key, begin, n_bytes), tokens = self.read_head(file, name)
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


def open_block(path: Path) -> Any:
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


def _checksum(header: bytes, tokens: bytes, data: Any) -> bytes:
    hasher = hashlib.blake2b(header, digest_size=N_CHECKSUM)
    hasher.update(tokens)
    hasher.update(data)
    return hasher.digest()
