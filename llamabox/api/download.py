"""One file from a URL: resumed where it was cut, also by another process, and checked.

The bytes go to a file beside the target, which it is renamed to once its size and checksum are
right. Whoever holds the lock on that file downloads; others wait for the target.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from .._version import __version__
from ..errors import HubError, HubFileDamaged, HubUnreachable
from .file_lock import locked
from .gguf import MAGIC
from .http_open import Answer, open_url, refusal
from .versions import Version

__all__ = [
    "Advance",
    "Wanted",
    "cache_folder",
    "disk_errors",
    "download",
    "has_size",
    "request_headers",
]

CHUNK = 1 << 20
STALL_SECONDS = 30.0
"""That a server may say nothing."""
RETRIES = 5
"""In a row that bring nothing new."""
FIRST_DELAY = 0.2
"""Seconds before the first of them; doubled each time."""

Advance = Callable[[int, int | None], None]
"""Told the bytes that are there, and how many there will be, if known; may raise `HubError`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What is known of a file before it is there.

    :param size: bytes.
    :param sha256: of its content, in hex.
    """

    size: int | None = None
    sha256: str | None = None


class _Cut(Exception):
    """The transfer ended early; it may go on."""


def download(
    url: str,
    target: Path,
    *,
    what: str,
    advance: Advance,
    wanted: Wanted | None = None,
    headers: dict[str, str] | None = None,
    stale: Version | None = None,
) -> None:
    """Have a GGUF file at `target`; blocks. Unless `wanted` has its checksum, its `Version` is
    beside it then. One of another size than `wanted` says is replaced.

    :param what: names the file in messages.
    :param headers: more request headers; ``Authorization`` goes to the URL's own origin only.
    :param stale: a version that may be at `target`, to be replaced.
    :raises HubError: of the kind that says why it cannot be had.
    """
    partial = target.with_name(f"{target.name}.part")
    wanted = wanted or Wanted()
    transfer = _Transfer(url, partial, what=what, advance=advance, wanted=wanted, headers=headers)
    with disk_errors(what, target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(partial, lambda: advance(0, None)) as file:
            is_right = target.exists() and Version.of_file(target) != stale
            if is_right and (wanted.size is None or has_size(target, wanted.size)):
                partial.unlink(missing_ok=True)
                return
            transfer.run(file)
            partial.replace(target)
            Version.move(partial, target)


def cache_folder(path: str) -> Path:
    """The folder of this path, which may begin with ``~``.

    :raises HubError: nobody knows whose home that is.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise HubError(f"{path}: {error}") from None


def has_size(path: Path, size: int) -> bool:
    """Whether there is a file of so many bytes."""
    with contextlib.suppress(OSError):
        return path.stat().st_size == size
    return False


def request_headers() -> dict[str, str]:
    """What every request for a file says."""
    return {"User-Agent": f"llamabox/{__version__}", "Accept-Encoding": "identity"}


class _Transfer:
    def __init__(
        self,
        url: str,
        partial: Path,
        *,
        what: str,
        advance: Advance,
        wanted: Wanted,
        headers: dict[str, str] | None,
    ) -> None:
        self._url = url
        self._partial = partial
        self._what = what
        self._advance = advance
        self._wanted = wanted
        self._size = wanted.size
        self._sha256 = wanted.sha256
        self._is_named = wanted.sha256 is not None
        self._headers = headers or {}
        self._digest = hashlib.sha256()
        self._n = 0

    def run(self, file: IO[bytes]) -> None:
        """Bring the partial file to its end, and check it."""
        self._take_up(file)
        has_resumed = self._n > 0
        self._fetch(file)
        try:
            self._check()
        except HubFileDamaged:
            self._restart(file)
            if not has_resumed:
                self._partial.unlink(missing_ok=True)
                raise
            self._fetch(file)
            self._check()
        file.flush()
        os.fsync(file.fileno())

    def _take_up(self, file: IO[bytes]) -> None:
        """Start from what an earlier download has left, if that may be told to be the same."""
        n_left = os.fstat(file.fileno()).st_size
        is_known = self._is_named or bool(Version.of_file(self._partial).condition)
        if not is_known or (self._size is not None and n_left > self._size):
            self._restart(file)
            return
        file.seek(0)
        while chunk := file.read(CHUNK):
            self._digest.update(chunk)
            self._n += len(chunk)
            self._advance(self._n, self._size)

    def _restart(self, file: IO[bytes]) -> None:
        file.truncate(0)
        file.seek(0)
        self._digest = hashlib.sha256()
        self._n = 0
        # What a server has said is of a version that may be gone.
        self._size, self._sha256 = self._wanted.size, self._wanted.sha256

    def _fetch(self, file: IO[bytes]) -> None:
        """Try until all is there, or several tries in a row have brought nothing."""
        n_failed = 0
        while self._size is None or self._n < self._size:
            n_before = self._n
            try:
                self._try(file)
                return
            except _Cut as error:
                n_failed = 0 if self._n > n_before else n_failed + 1
                if n_failed > RETRIES:
                    raise HubUnreachable(f"{self._what}: {error}") from None
            self._wait(FIRST_DELAY * 2**n_failed)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._advance(self._n, self._size)
            time.sleep(min(0.1, seconds))

    def _try(self, file: IO[bytes]) -> None:
        """One request.

        :raises _Cut: it failed in a way that another may not.
        """
        try:
            with open_url(self._url, self._request_headers(), STALL_SECONDS) as answer:
                if self._begin(file, answer):
                    self._copy(file, answer.body)
        except urllib.error.HTTPError as error:
            with error:
                self._refused(file, error)
        except (OSError, http.client.HTTPException) as error:
            # What concerns the disk is a `HubError` by then.
            reason = getattr(error, "reason", error)
            text = getattr(reason, "strerror", None) or str(reason) or type(error).__name__
            raise _Cut(str(text)) from None
        if self._size is not None and self._n < self._size:
            raise _Cut(f"the connection ended after {self._n} of {self._size} bytes")

    def _request_headers(self) -> dict[str, str]:
        headers = request_headers()
        if self._n > 0:
            headers["Range"] = f"bytes={self._n}-"
            if not self._is_named:
                headers["If-Range"] = Version.of_file(self._partial).condition
        return {**headers, **self._headers}

    def _begin(self, file: IO[bytes], answer: Answer) -> bool:
        """Get ready for the body; False if it is none that can be used, and the next try begins
        anew."""
        start, total = _content_range(answer)
        if answer.status != 206:
            self._restart(file)
        elif start != self._n:
            self._restart(file)
            raise _Cut("the server sends another range than was asked for")
        if self._size is None:
            self._size = total
        elif total is not None and total != self._size:
            raise HubFileDamaged(
                f"{self._what} has another size on the server: {total} bytes, not {self._size}"
            )
        if self._sha256 is None:
            self._sha256 = answer.sha256
        if self._n == 0 and not self._is_named:
            with disk_errors(self._what, self._partial.parent):
                Version.of(answer).write(self._partial)
        self._check_room()
        return True

    def _check_room(self) -> None:
        n_missing = (self._size or 0) - self._n
        n_free = shutil.disk_usage(self._partial.parent).free
        if n_missing > n_free:
            raise HubError(
                f"{self._what}: no space left in {self._partial.parent}:"
                f" {-(-n_missing >> 20)} MiB are needed, {n_free >> 20} are free"
            )

    def _copy(self, file: IO[bytes], body: IO[bytes]) -> None:
        """Append the body; whatever is no GGUF file is seen by its beginning."""
        file.seek(self._n)
        while chunk := body.read(CHUNK):
            magic = MAGIC[self._n : self._n + len(chunk)]
            if chunk[: len(magic)] != magic:
                self._restart(file)
                raise HubFileDamaged(f"{self._what} is not a GGUF file: it begins {chunk[:16]!r}")
            with disk_errors(self._what, self._partial.parent):
                file.write(chunk)
            self._digest.update(chunk)
            self._n += len(chunk)
            self._advance(self._n, self._size)
        if self._size is None:
            self._size = self._n

    def _refused(self, file: IO[bytes], error: urllib.error.HTTPError) -> None:
        """:raises _Cut: another request may be answered."""
        if error.code == 416 and self._n > 0:
            _, total = _content_range(Answer.of(error))
            if total == self._n and self._size is None:
                self._size = total
                return
            self._restart(file)
            raise _Cut("the server has no such range")
        if error.code == 429 or error.code >= 500:
            raise _Cut(f"the server answers with status {error.code}")
        raise refusal(self._what, error.code)

    def _check(self) -> None:
        """:raises HubFileDamaged: what came is not what was to come."""
        if self._size is not None and self._n != self._size:
            raise HubFileDamaged(f"{self._what} came with {self._n} bytes instead of {self._size}")
        if self._n < len(MAGIC):
            raise HubFileDamaged(f"{self._what} is not a GGUF file: it has {self._n} bytes")
        found = self._digest.hexdigest()
        if self._sha256 is not None and found != self._sha256:
            raise HubFileDamaged(
                f"{self._what} came with SHA-256 {found} instead of {self._sha256}"
            )


def _content_range(answer: Answer) -> tuple[int, int | None]:
    """Where the body begins, and the size of the whole, if it is said."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", answer.header("Content-Range"))
    if found is not None:
        return int(found[1] or 0), int(found[2]) if found[2] != "*" else None
    length = answer.header("Content-Length")
    return 0, int(length) if length.isdecimal() else None


@contextlib.contextmanager
def disk_errors(what: str, folder: Path) -> Iterator[None]:
    """Raise our own errors for those of the file system."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise HubError(f"{what}: no space left in {folder}") from None
        raise HubError(f"{what}: {folder} cannot be written: {error.strerror or error}") from None
