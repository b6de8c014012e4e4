"""`ModelParams` as ``llama_model_params``."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import llama_cpp

from ..errors import InvalidRequest
from ..params import SPLIT_MODES, KvValue, ModelParams
from .system import buffer_types, device_addresses

Progress = Callable[[float], bool | None]
"""Called with the loaded share, 0 to 1; returning False gives the loading up."""


class _TensorOverride(ctypes.Structure):
    """``llama_model_tensor_buft_override``."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p))


def model_params(params: ModelParams, progress: Progress | None) -> tuple[Any, list[Any]]:
    """llama.cpp's parameters, and what must outlive their use.

    :raises InvalidRequest: there is no device or buffer type of a name in `params`.
    """
    c_params = llama_cpp.llama_model_default_params()
    c_params.n_gpu_layers = params.n_gpu_layers
    c_params.load_mode = _load_mode(params)
    c_params.split_mode = SPLIT_MODES.index(params.split_mode)
    c_params.main_gpu = params.main_gpu
    c_params.check_tensors = params.check_tensors
    c_params.use_extra_bufts = params.repack
    c_params.progress_callback = llama_cpp.llama_progress_callback(
        lambda share, _: progress is None or progress(share) is not False
    )
    kept = [c_params.progress_callback]
    if params.devices is not None:
        # NULL ends the list; without a list, llama.cpp takes all devices.
        devices = (ctypes.c_void_p * (len(params.devices) + 1))(*device_addresses(params.devices))
        c_params.devices = ctypes.cast(devices, ctypes.c_void_p)
        kept.append(devices)
    if params.tensor_split:
        c_params.tensor_split = _shares(params.tensor_split)
        kept.append(c_params.tensor_split)
    if params.tensor_overrides:
        overrides = _tensor_overrides(params.tensor_overrides)
        c_params.tensor_buft_overrides = ctypes.cast(overrides, ctypes.c_void_p)
        kept.append(overrides)
    if params.kv_overrides:
        c_params.kv_overrides = _kv_overrides(params.kv_overrides)
        kept.append(c_params.kv_overrides)
    return c_params, kept


def check_model_params(params: ModelParams) -> None:
    """Whether this machine has what `params` name.

    :raises InvalidRequest: it does not; `param` is the field.
    """
    model_params(params, None)


def _load_mode(params: ModelParams) -> int:
    if params.use_mlock:
        is_mapped = params.use_mmap is not False
        name = "LLAMA_LOAD_MODE_MMAP_MLOCK" if is_mapped else "LLAMA_LOAD_MODE_MLOCK"
    elif params.use_mmap is None:
        name = "LLAMA_LOAD_MODE_AUTO"
    else:
        name = "LLAMA_LOAD_MODE_MMAP" if params.use_mmap else "LLAMA_LOAD_MODE_NONE"
    mode: int = getattr(llama_cpp, name)
    return mode


def _shares(shares: Sequence[float]) -> Any:
    n_most = llama_cpp.llama_max_devices()
    if len(shares) > n_most:
        raise InvalidRequest(
            f"tensor_split: {len(shares)} shares, for {n_most} devices at most",
            param="tensor_split",
        )
    return (ctypes.c_float * n_most)(*shares)


def _tensor_overrides(pairs: Sequence[tuple[str, str]]) -> Any:
    known = buffer_types()
    # A pattern of NULL ends the list.
    overrides = (_TensorOverride * (len(pairs) + 1))()
    for i, (pattern, name) in enumerate(pairs):
        if name not in known:
            raise InvalidRequest(
                f"tensor_overrides: {name!r} is no buffer type; those are {', '.join(known)}",
                param="tensor_overrides",
            )
        overrides[i].pattern = pattern.encode()
        overrides[i].buffer_type = known[name]
    return overrides


def _kv_overrides(pairs: Sequence[tuple[str, KvValue]]) -> Any:
    # An empty key ends the list.
    overrides = (llama_cpp.llama_model_kv_override * (len(pairs) + 1))()
    for override, (key, value) in zip(overrides, pairs, strict=False):
        override.key = key.encode()
        if isinstance(value, bool):
            override.tag = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_BOOL
            override.value.val_bool = value
        elif isinstance(value, int):
            override.tag = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_INT
            override.value.val_i64 = value
        elif isinstance(value, float):
            override.tag = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_FLOAT
            override.value.val_f64 = value
        else:
            override.tag = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_STR
            override.value.val_str = value.encode()
    return overrides
