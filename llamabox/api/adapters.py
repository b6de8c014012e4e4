"""LoRA adapters of an engine: loaded once, put together anew for each request."""

from __future__ import annotations

import ctypes
import dataclasses
import hashlib
import os
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import llama_cpp

from .._core.adapters import AdapterSet
from ..errors import InvalidRequest, ModelLoadError
from ..params import EngineParams, GenerationParams
from .fingerprint import hash_file
from .gguf import read_head
from .library import captured_errors
from .model import Model

MAX_SETS = 256
"""Sets that are kept for the next request with the same scales."""


@dataclasses.dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter that an engine has loaded.

    :param id: its number, from 0, in the order of `EngineParams.lora`.
    :param path: of its file.
    :param scale: for requests that name no adapters of their own; 0 is off.
    """

    id: int
    path: str
    scale: float


class Adapters:
    """The adapters of one engine; may be used by any thread.

    They have to be loaded before a context is made, which has room for what they compute.

    :raises ModelLoadError: a file is missing, damaged, no adapter, or one for another model.
    """

    def __init__(self, model: Model, params: EngineParams) -> None:
        self._model = model
        self._adapters: list[Any] = []
        self._digests: list[bytes] = []
        self._paths = [os.fspath(path) for path, _ in params.lora]
        self._scales = [scale for _, scale in params.lora]
        if params.lora_init_without_apply:
            self._scales = [0.0] * len(self._scales)
        self._sets: dict[tuple[tuple[int, float], ...], AdapterSet] = {}
        self._lock = threading.Lock()
        try:
            for path in self._paths:
                self._adapters.append(_load(model, Path(path)))
                self._digests.append(_digest(Path(path)))
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[Adapter]:
        with self._lock:
            scales = list(self._scales)
        return iter([Adapter(i, path, scales[i]) for i, path in enumerate(self._paths)])

    def set_scales(self, scales: Mapping[int, float]) -> None:
        """Set the scales for requests to come that name no adapters; of all: those that are not
        named are off.

        :raises InvalidRequest: there is no such adapter, or no such scale.
        """
        self._check(scales)
        GenerationParams(lora=tuple(scales.items()))  # refuses what is no scale
        with self._lock:
            self._scales = [float(scales.get(i, 0.0)) for i in range(len(self._paths))]

    def set_of(self, lora: tuple[tuple[int, float], ...] | None) -> AdapterSet | None:
        """What a request with this `GenerationParams.lora` is computed with; None for no adapters.

        :raises InvalidRequest: there is no such adapter.
        """
        if lora is None:
            with self._lock:
                pairs: Iterable[tuple[int, float]] = list(enumerate(self._scales))
        else:
            self._check(dict(lora))
            pairs = lora
        used = tuple(sorted((i, _rounded(scale)) for i, scale in pairs if _rounded(scale)))
        if not used:
            return None
        with self._lock:
            found = self._sets.get(used)
            if found is None:
                found = self._make(used)
                if len(self._sets) >= MAX_SETS:
                    self._sets.pop(next(iter(self._sets)))
                self._sets[used] = found
            return found

    def close(self) -> None:
        """Free them; no context may use them any more."""
        while self._adapters and self._model.address:  # which frees them with itself
            llama_cpp.llama_adapter_lora_free(self._adapters.pop())

    def _check(self, scales: Mapping[int, float]) -> None:
        for i in scales:
            if not 0 <= i < len(self._paths):
                raise InvalidRequest(
                    f"lora: there is no adapter {i}; {len(self._paths)} are loaded", param="lora"
                )

    def _make(self, used: tuple[tuple[int, float], ...]) -> AdapterSet:
        """The key is that of the files and scales in any order, so that it lasts on disk."""
        parts = sorted(self._digests[i] + struct.pack("<f", scale) for i, scale in used)
        digest = hashlib.blake2b(b"".join(parts), digest_size=8).digest()
        key = int.from_bytes(digest, "little") >> 1 or 1
        addresses = [ctypes.cast(self._adapters[i], ctypes.c_void_p).value or 0 for i, _ in used]
        scales = [scale for _, scale in used]
        return AdapterSet(key, list(zip(addresses, scales, strict=True)), owner=self)


def _load(model: Model, path: Path) -> Any:
    """A ctypes pointer to a `llama_adapter_lora`."""
    head = read_head(path)
    if head.kind != "adapter":
        raise ModelLoadError(f"{path}: not a LoRA adapter")
    with captured_errors() as errors:
        adapter = llama_cpp.llama_adapter_lora_init(model.address, os.fsencode(path))
    if not adapter:
        reason = "; ".join(errors) or "llama.cpp gives no reason"
        raise ModelLoadError(f"{path}: the adapter does not fit the model: {reason}")
    if llama_cpp.llama_adapter_get_alora_n_invocation_tokens(adapter):
        llama_cpp.llama_adapter_lora_free(adapter)
        raise ModelLoadError(f"{path}: activated LoRA (aLoRA) is not supported")
    return adapter


def _digest(path: Path) -> bytes:
    digest = hashlib.blake2b(digest_size=32)
    hash_file(path, digest)
    return digest.digest()


def _rounded(scale: float) -> float:
    """As llama.cpp keeps it."""
    value: float = struct.unpack("<f", struct.pack("<f", scale))[0]
    return value
