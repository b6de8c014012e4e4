"""The float tensors of a small GGUF file, such as a control vector."""

from __future__ import annotations

import dataclasses
import os
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import ModelLoadError
from .gguf import read_string, skip_value, start, unpack

F32 = 0
ALIGNMENT = "general.alignment"
UINT32 = 4
MAX_DIMENSIONS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class _Info:
    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


def read_vectors(path: Path) -> list[tuple[str, npt.NDArray[np.float32]]]:
    """The tensors of a file by their names, all of which are vectors of 32-bit floats.

    :raises ModelLoadError: the file cannot be read, or holds tensors of another kind.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except OSError as error:
        raise ModelLoadError(f"{path}: {error.strerror}") from None
    except (struct.error, EOFError, OverflowError, MemoryError):
        raise ModelLoadError(f"{path}: the file is truncated or damaged") from None
    except ValueError as error:
        raise ModelLoadError(f"{path}: {error}") from None


def _read(file: BinaryIO) -> list[tuple[str, npt.NDArray[np.float32]]]:
    n_tensors, n_pairs = start(file)
    alignment = 32
    for _ in range(n_pairs):
        key = read_string(file)
        (kind,) = unpack(file, "<I")
        if key == ALIGNMENT and kind == UINT32:
            (alignment,) = unpack(file, "<I")
        else:
            skip_value(file, kind)
    if alignment == 0:
        raise ValueError("an alignment of 0: the file is damaged")
    infos = [_info(file) for _ in range(n_tensors)]
    begin = -(-file.tell() // alignment) * alignment
    size = os.fstat(file.fileno()).st_size
    return [(info.name, _vector(file, info, begin, size)) for info in infos]


def _info(file: BinaryIO) -> _Info:
    name = read_string(file)
    (n_dimensions,) = unpack(file, "<I")
    if n_dimensions > MAX_DIMENSIONS:
        raise ValueError(f"{name}: {n_dimensions} dimensions: the file is damaged")
    shape = unpack(file, f"<{n_dimensions}Q")
    kind, offset = unpack(file, "<IQ")
    return _Info(name, shape, kind, offset)


def _vector(file: BinaryIO, info: _Info, begin: int, size: int) -> npt.NDArray[np.float32]:
    n_values = info.shape[0] if info.shape else 0
    if info.kind != F32 or n_values == 0 or any(n != 1 for n in info.shape[1:]):
        raise ValueError(f"{info.name}: not a vector of 32-bit floats")
    if begin + info.offset + 4 * n_values > size:
        raise EOFError
    file.seek(begin + info.offset)
    return np.frombuffer(file.read(4 * n_values), dtype="<f4").astype(np.float32)
