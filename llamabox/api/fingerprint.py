"""What the cells of a context depend on, as bytes: cells of another fingerprint are no use."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import llama_cpp

from ..params import EngineParams
from .context import Layout, OwnedContext, context_params
from .control_vectors import read_directions
from .model import Model
from .split import all_parts

N_HEAD = 16 << 20
N_SAMPLES = 256
N_SAMPLE = 4096
NUMBERS = (
    "rope_scaling_type",
    "pooling_type",
    "attention_type",
    "rope_freq_base",
    "rope_freq_scale",
    "yarn_ext_factor",
    "yarn_attn_factor",
    "yarn_beta_fast",
    "yarn_beta_slow",
    "yarn_orig_ctx",
    "type_k",
    "type_v",
    "swa_full",
    "offload_kqv",
)
"""Fields of ``llama_context_params`` that change cells."""


def fingerprint(model: Model, params: EngineParams, layout: Layout, context: OwnedContext) -> bytes:
    """A digest of the model's file, llama.cpp, and what of the context changes cells.

    The path does not matter. Of large files a part is read: the head, where metadata and tensors
    are described, and samples of the tensors.

    :raises OSError: the file cannot be read.
    """
    c_params = context_params(model, params, layout)
    facts: dict[str, Any] = {
        "llama_cpp": llama_cpp.__version__,
        "llama.cpp": llama_cpp.llama_version().decode(),
        "system": llama_cpp.llama_print_system_info().decode(),
        "model": model.description,
        "metadata": sorted(model.metadata.items()),
        "rope": str(llama_cpp.llama_model_rope_freq_scale_train(model.address)),
        "context": {name: str(getattr(c_params, name)) for name in NUMBERS},
        "flash_attention": layout.flash_attention,
        "on_gpu": model.uses_gpu,
        # A saved sequence says how many streams there are.
        "n_streams": context.core.n_seq_max if layout.partitioned else 1,
        "state": state_shape(context).hex(),
        "control_vectors": directions_digest(model, params),
    }
    if any(".rope.scaling." in key for key in model.metadata):
        facts["n_ctx"] = context.core.n_ctx  # some models scale by it
    digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode())
    for path in all_parts(model.path):
        hash_file(path, digest)
    return digest.digest()


def directions_digest(model: Model, params: EngineParams) -> str:
    """Of the control vectors and their layers."""
    directions = read_directions(model, params)
    if directions is None:
        return ""
    digest = hashlib.blake2b(directions.tobytes())
    digest.update(repr(params.control_vector_layers).encode())
    return digest.hexdigest()


def state_shape(context: OwnedContext) -> bytes:
    """How llama.cpp saves a cell of a context, up to its first key: types, sizes, the order of
    values."""
    state = context.one_cell()
    return len(state).to_bytes(8, "little") + state[8:48]


def hash_file(path: Path, digest: Any) -> None:
    """Feed a hash object what tells a large file from others."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest.update(size.to_bytes(8, "little"))
        digest.update(file.read(N_HEAD))
        for i in range(1, N_SAMPLES + 1):
            file.seek(max(0, i * size // N_SAMPLES - N_SAMPLE))
            digest.update(file.read(N_SAMPLE))
