"""Control vectors: directions that are added to what some layers put out, for every request."""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp
import numpy as np
import numpy.typing as npt

from ..errors import InvalidRequest, ModelLoadError
from ..params import EngineParams
from .gguf_tensors import read_vectors
from .library import captured_errors
from .model import Model

PREFIX = "direction"
MAX_LAYERS = 512
"""Of a model (``LLAMA_MAX_LAYERS``)."""

Directions = npt.NDArray[np.float32]


def read_directions(model: Model, params: EngineParams) -> Directions | None:
    """The sum of the files in `EngineParams.control_vectors`, each times its scale.

    :returns: float32 [n_layer - 1, n_embd], from layer 1 on, which is how llama.cpp takes them;
        None without files.
    :raises ModelLoadError: a file is missing, damaged, no control vector, or another model's.
    :raises InvalidRequest: the model has no such layers as `EngineParams.control_vector_layers`.
    """
    n_layer: int = llama_cpp.llama_model_n_layer(model.address)
    layers = params.control_vector_layers
    if layers is not None and layers[1] >= n_layer:
        raise InvalidRequest(
            f"control_vector_layers: the model has {n_layer} layers, from 0 on",
            param="control_vector_layers",
        )
    if not params.control_vectors:
        return None
    total = np.zeros((max(n_layer - 1, 0), model.n_embd), dtype=np.float32)
    for name, scale in params.control_vectors:
        path = Path(name)
        vectors = read_vectors(path)
        if not vectors:
            raise ModelLoadError(f"{path}: no control vector: it holds no directions")
        for tensor, values in vectors:
            total[_layer(path, tensor, values, total.shape) - 1] += np.float32(scale) * values
    return total


def _layer(path: Path, tensor: str, values: Directions, shape: tuple[int, int]) -> int:
    """The layer that a tensor is for, as its name says."""
    prefix, _, digits = tensor.partition(".")
    if prefix != PREFIX or not digits.isdecimal() or not 0 < int(digits) < MAX_LAYERS:
        raise ModelLoadError(f"{path}: no control vector: it holds a tensor {tensor!r}")
    if len(values) != shape[1] or int(digits) > shape[0]:
        raise ModelLoadError(
            f"{path}: {tensor} of {len(values)} values does not fit the model, which has "
            f"{shape[0] + 1} layers of {shape[1]}"
        )
    return int(digits)


def apply_directions(model: Model, params: EngineParams, context: int) -> None:
    """Have a `llama_context` add the control vectors (``llama_set_adapter_cvec``).

    :param context: its address.
    :raises ModelLoadError: see `read_directions`, or llama.cpp refuses them.
    :raises InvalidRequest: see `read_directions`.
    """
    directions = read_directions(model, params)
    if directions is None or directions.size == 0:
        return
    first, last = params.control_vector_layers or (1, directions.shape[0])
    with captured_errors() as errors:
        code = llama_cpp.llama_set_adapter_cvec(
            context,
            directions.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            directions.size,
            directions.shape[1],
            first,
            last,
        )
    if code != 0:
        raise ModelLoadError("; ".join(errors) or "llama.cpp refuses the control vectors")
