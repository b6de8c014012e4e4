"""How a model file is loaded."""

from __future__ import annotations

import dataclasses
import math

from ..checks import check_choice, check_int, check_strings
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
        if not all(math.isfinite(share) and share >= 0 for share in self.tensor_split):
            raise InvalidRequest("tensor_split: shares are 0 or more", param="tensor_split")
        if self.tensor_split and not any(self.tensor_split):
            raise InvalidRequest("tensor_split: all shares are 0", param="tensor_split")
        for key, value in self.kv_overrides:
            _check_kv_override(key, value)


def _check_kv_override(key: str, value: KvValue) -> None:
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
