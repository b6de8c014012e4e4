"""Which version of a file on a server a downloaded one is, kept beside it."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import orjson

from .http_open import Answer

__all__ = ["Version"]


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """What a server says of a file's version; "" where it says nothing."""

    etag: str = ""
    modified: str = ""

    @classmethod
    def of(cls, answer: Answer) -> Version:
        return cls(answer.header("ETag"), answer.header("Last-Modified"))

    @classmethod
    def of_file(cls, path: Path) -> Version:
        """What was written for a file, or for its beginning; nothing if that is lost."""
        with contextlib.suppress(OSError, orjson.JSONDecodeError, TypeError):
            return cls(**orjson.loads(_beside(path).read_bytes()))
        return cls()

    def write(self, path: Path) -> None:
        """Keep it for a file that is about to be."""
        _beside(path).write_bytes(orjson.dumps(dataclasses.asdict(self)))

    @staticmethod
    def move(source: Path, target: Path) -> None:
        """What was written for a file holds for another from now on."""
        with contextlib.suppress(FileNotFoundError):
            _beside(source).replace(_beside(target))

    @property
    def condition(self) -> str:
        """For ``If-Range``, which takes what identifies every byte; "" if there is none."""
        return self.modified if not self.etag or self.etag.startswith("W/") else self.etag


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.version")
