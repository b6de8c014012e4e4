"""How a model file is loaded."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ..checks import (
    check_bool,
    check_choice,
    check_encodable,
    check_int,
    check_pairs,
    check_strings,
)
from ..errors import InvalidRequest

KvValue = int | float | bool | str

SPLIT_MODES = ("none", "layer", "row")
"""Their places are llama.cpp's numbers (``llama_split_mode``)."""
MAX_KV_LENGTH = 127
"""Bytes of an overridden key, and of its text (``llama_model_kv_override``)."""
MAX_INT64 = 2**63 - 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelParams:
    """How a GGUF file is loaded (``llama_model_params``).

    :param n_gpu_layers: layers kept on the GPU; -1 for all, ignored by CPU builds.
    :param devices: names of the devices that those go to (`list_devices`), () for none; None for
        all there are.
    :param split_mode: how they are shared out: "none" gives `main_gpu` all, "layer" splits between
        layers, "row" within them.
    :param main_gpu: place in the list of devices of the one that does what is not split.
    :param tensor_split: shares of the devices, in their order; () for llama.cpp's choice.
    :param tensor_overrides: (regular expression of tensor names, name of a buffer type) pairs:
        where those tensors go; the first match counts.
    :param kv_overrides: (key, value) pairs that replace metadata.
    :param use_mmap: map the file instead of reading it; None where the devices can.
    :param use_mlock: keep the pages in RAM.
    :param check_tensors: look for invalid numbers in the tensors while they are loaded.
    :param repack: rearrange weights for the CPU's instructions.
    """

    n_gpu_layers: int = -1
    devices: tuple[str, ...] | None = None
    split_mode: str = "layer"
    main_gpu: int = 0
    tensor_split: tuple[float, ...] = ()
    tensor_overrides: tuple[tuple[str, str], ...] = ()
    kv_overrides: tuple[tuple[str, KvValue], ...] = ()
    use_mmap: bool | None = None
    use_mlock: bool = False
    check_tensors: bool = False
    repack: bool = True

    def __post_init__(self) -> None:
        check_int(self, "n_gpu_layers", -1)
        check_int(self, "main_gpu", 0)
        check_choice(self, "split_mode", SPLIT_MODES)
        if self.devices is not None:
            check_strings(self, "devices")
        if self.use_mmap is not None:
            check_bool(self, "use_mmap")
        for name in ("use_mlock", "check_tensors", "repack"):
            check_bool(self, name)
        _check_shares(self.tensor_split)
        check_pairs(self, "tensor_overrides")
        for pair in self.tensor_overrides:
            _check_tensor_override(pair)
        check_pairs(self, "kv_overrides")
        for key, value in self.kv_overrides:
            _check_kv_override(key, value)


def _check_shares(shares: Any) -> None:
    if not isinstance(shares, tuple):
        raise InvalidRequest(f"tensor_split: {shares!r} is not a tuple", param="tensor_split")
    for share in shares:
        is_number = isinstance(share, (int, float)) and not isinstance(share, bool)
        if not is_number or not 0 <= share < math.inf:
            message = f"tensor_split: {share!r} is not 0 or more"
            raise InvalidRequest(message, param="tensor_split")
    if shares and not any(shares):
        raise InvalidRequest("tensor_split: all shares are 0", param="tensor_split")


def _check_tensor_override(pair: tuple[Any, Any]) -> None:
    for text in pair:
        if not isinstance(text, str) or not text:
            message = f"tensor_overrides: {text!r} is not a string, or is empty"
            raise InvalidRequest(message, param="tensor_overrides")
        check_encodable(text, "tensor_overrides")


def _check_kv_override(key: Any, value: Any) -> None:
    if not isinstance(key, str) or not isinstance(value, KvValue):
        message = f"kv_overrides: {(key, value)!r} is not a key and its value"
        raise InvalidRequest(message, param="kv_overrides")
    texts = [key, value] if isinstance(value, str) else [key]
    for text in texts:
        size = len(text.encode("utf-8", "surrogatepass"))
        if not key or size > MAX_KV_LENGTH or "\0" in text:
            raise InvalidRequest(
                f"kv_overrides: {text!r} is empty, or longer than {MAX_KV_LENGTH} bytes",
                param="kv_overrides",
            )
    if isinstance(value, int) and abs(value) > MAX_INT64:
        raise InvalidRequest(f"kv_overrides: {value} has more than 64 bits", param="kv_overrides")
