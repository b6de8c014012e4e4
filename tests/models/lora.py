"""Tiny LoRA adapters and control vectors for the models of `random_gguf`.

They change what a model says, and mean nothing. A seed always gives the same file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

from tests.models.tensors import N_EMBD, N_KV, N_LAYER

RANK = 4
ALPHA = 4.0
ADAPTED = {"attn_q": (N_EMBD, N_EMBD), "attn_v": (N_KV, N_EMBD), "attn_output": (N_EMBD, N_EMBD)}
"""Tensors of each layer, (rows, columns) as numpy has them."""


def write_adapter(
    path: Path,
    seed: int = 0,
    *,
    architecture: str = "llama",
    size: float = 1.0,
    n_embd: int = N_EMBD,
    kind: str = "lora",
) -> Path:
    """Write a LoRA adapter.

    :param size: standard deviation of what it adds to a weight, relative to the weight's own.
    :param n_embd: columns of the tensors; another number than the model's does not fit it.
    :param kind: `adapter.type`.
    """
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", kind)
    writer.add_float32("adapter.lora.alpha", ALPHA)
    for layer in range(N_LAYER):
        for name, (rows, width) in ADAPTED.items():
            columns = n_embd if width == N_EMBD else width
            scale = (size / np.sqrt(RANK * columns)) ** 0.5
            tensor = f"blk.{layer}.{name}.weight"
            a = rng.normal(0, scale, (RANK, columns)).astype(np.float32)
            b = rng.normal(0, scale, (rows, RANK)).astype(np.float32)
            writer.add_tensor(f"{tensor}.lora_a", a)
            writer.add_tensor(f"{tensor}.lora_b", b)
    return _finish(writer, path)


def write_control_vector(
    path: Path,
    seed: int = 0,
    *,
    n_embd: int = N_EMBD,
    layers: tuple[int, ...] = (1,),
    tensors: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Write a control vector.

    :param layers: that it has a direction for.
    :param tensors: what it holds instead.
    """
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "controlvector")
    if tensors is None:
        tensors = {f"direction.{i}": rng.normal(0, 1, n_embd).astype(np.float32) for i in layers}
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    return _finish(writer, path)


def _finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
