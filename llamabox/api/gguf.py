"""The head of a GGUF file: enough to refuse a wrong file with the true reason.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import dataclasses
import os
import struct
from pathlib import Path
from typing import BinaryIO

from ..errors import ModelLoadError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
SCALAR_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
WANTED = ("general.architecture", "general.type")
LONGEST_STRING = 1 << 24


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What kind of file it is.

    :param architecture: `general.architecture`, or "" if it has none.
    :param kind: `general.type`: model, adapter, mmproj, ...; or "".
    :param n_tensors: tensors that the file says it holds.
    """

    architecture: str
    kind: str
    n_tensors: int


def read_head(path: Path) -> Head:
    """Read the head of a file.

    :raises ModelLoadError: there is no such file, or it is not a GGUF file that can be read.
    """
    try:
        with path.open("rb") as file:
            return _parse(file)
    except FileNotFoundError:
        raise ModelLoadError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ModelLoadError(f"{path}: a directory, not a GGUF file") from None
    except OSError as error:
        raise ModelLoadError(f"{path}: {error.strerror}") from None
    except (struct.error, EOFError):
        raise ModelLoadError(f"{path}: the file is truncated") from None
    except ValueError as error:
        raise ModelLoadError(f"{path}: {error}") from None


def check_generates(path: Path, head: Head) -> None:
    """:raises ModelLoadError: the file is no model that can generate text."""
    if head.architecture == "clip" or head.kind == "mmproj":
        raise ModelLoadError(f"{path}: a multimodal projector; it goes beside a model")
    if head.kind == "adapter":
        raise ModelLoadError(f"{path}: a LoRA adapter; it goes beside a model")
    if head.n_tensors == 0:
        raise ModelLoadError(f"{path}: only a vocabulary, without weights")


def start(file: BinaryIO) -> tuple[int, int]:
    """Read up to the metadata; returns the numbers of tensors and of metadata pairs.

    :raises ValueError: it is no GGUF file that can be read.
    """
    if file.read(4) != MAGIC:
        raise ValueError("not a GGUF file")
    (version,) = unpack(file, "<I")
    if version not in VERSIONS:
        raise ValueError(f"GGUF version {version} is not supported")
    n_tensors, n_pairs = unpack(file, "<QQ")
    return n_tensors, n_pairs


def _parse(file: BinaryIO) -> Head:
    n_tensors, n_pairs = start(file)
    found: dict[str, str] = {}
    for _ in range(n_pairs):
        key = read_string(file)
        (kind,) = unpack(file, "<I")
        if kind == STRING and key in WANTED:
            found[key] = read_string(file)
        else:
            skip_value(file, kind)
        if len(found) == len(WANTED):
            break
    return Head(
        architecture=found.get("general.architecture", ""),
        kind=found.get("general.type", ""),
        n_tensors=n_tensors,
    )


def unpack(file: BinaryIO, layout: str) -> tuple[int, ...]:
    """:raises struct.error: the file ends before that."""
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def read_string(file: BinaryIO) -> str:
    """:raises EOFError: the file ends before that.
    :raises ValueError: it is absurdly long.
    """
    (length,) = unpack(file, "<Q")
    if length > LONGEST_STRING:
        raise ValueError(f"a string of {length} bytes: the file is damaged")
    data = file.read(length)
    if len(data) < length:
        raise EOFError
    return data.decode("utf-8", "replace")


def skip_value(file: BinaryIO, kind: int) -> None:
    """Pass over a metadata value of a type.

    :raises ValueError: there is no such type.
    """
    if kind == STRING:
        (length,) = unpack(file, "<Q")
        file.seek(length, os.SEEK_CUR)
    elif kind == ARRAY:
        item, length = unpack(file, "<IQ")
        if item in SCALAR_SIZES:
            file.seek(SCALAR_SIZES[item] * length, os.SEEK_CUR)
        elif item == STRING:
            for _ in range(length):
                skip_value(file, STRING)
        else:
            raise ValueError("arrays of something else than numbers or strings: it is damaged")
    elif kind in SCALAR_SIZES:
        file.seek(SCALAR_SIZES[kind], os.SEEK_CUR)
    else:
        raise ValueError(f"metadata of unknown type {kind}: the file is damaged")
