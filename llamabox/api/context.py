"""llama.cpp contexts: made, warmed up and freed here; used by the core."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Sequence
from typing import Any

import llama_cpp

from .._core.backend import Backend
from .._core.backend_chain import largest_chain
from .._core.context import Context
from ..errors import InvalidRequest, ModelLoadError
from ..params import FLASH_ATTENTION, MAX_SEQUENCES, MOVABLE, ROPE_SCALINGS, EngineParams
from .cell_types import CELL_TYPES
from .library import LIBRARY, captured_errors
from .model import Model
from .system import default_threads

MAX_CELLS = 2**31 - 2**16
"""Of all sequences together: llama.cpp rounds them up, and the core counts in 32 bits."""

WINDOW_ROOM = 64
"""Rows of prompts that a step has room for, beside one for each slot, where a sliding window keeps
it within an ubatch."""
MAX_DRAFT_ROWS = 64
"""That verify drafts in a forward, unless a single draft may be longer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """How a context keeps its cells, and computes attention over them.

    In a *unified* memory all sessions share one pool of `n_ctx` cells, and every row attends over
    those that are used. In a *partitioned* one each of them has `n_ctx` cells of its own: attention
    is local, a shared prefix is copied.

    :param partitioned: which of the two.
    :param flash_attention: "on", "off", or "auto" for llama.cpp's choice.
    """

    partitioned: bool
    flash_attention: str

    @property
    def kv_layout(self) -> str:
        """As `EngineParams` has it."""
        return "partitioned" if self.partitioned else "unified"


class OwnedContext:
    """A `llama_context` and the core's view of it.

    With backend sampling it is made for the largest chain of samplers on every sequence: what
    does not fit the device is known now, where llama.cpp still has an error for it.

    :param model: kept alive.
    :param n_draft_rows: see `draft_rows`.
    :ivar backend: where llama.cpp samples beside the model.
    :raises ModelLoadError: llama.cpp cannot make it, or it cannot generate.
    :raises InvalidRequest: it would have more than `MAX_CELLS`.
    """

    def __init__(
        self, model: Model, params: EngineParams, layout: Layout, *, n_draft_rows: int = 0
    ) -> None:
        check_cells(params.n_ctx or model.n_ctx_train, params, layout)
        wanted = params.backend_sampling
        self.address = 0
        self._chains: list[Any] = []
        with captured_errors() as errors:
            if wanted == "on" or (wanted == "auto" and model.uses_gpu):
                n_chains = n_sequences(params, partitioned=layout.partitioned)
                self._chains = [largest_chain(llama_cpp, model.n_vocab) for _ in range(n_chains)]
                self.address = new_context(
                    model, params, layout, self._chains, n_draft_rows=n_draft_rows
                )
            if not self.address and wanted != "on":
                self._free_chains()
                self.address = new_context(model, params, layout, n_draft_rows=n_draft_rows)
        if not self.address:
            self._free_chains()
            reason = "; ".join(errors) or "llama.cpp gives no reason"
            size = f"{params.n_ctx or model.n_ctx_train} cells"
            if layout.partitioned:
                size += f" for each of {n_sequences(params, partitioned=True)} sequences"
            raise ModelLoadError(f"{model.path}: no context of {size}: {reason}")
        if not llama_cpp.llama_get_memory(self.address):
            self.close()
            raise ModelLoadError(f"{model.path}: the model does not generate text")
        self.core = Context(LIBRARY, self.address, owner=model, swa_full=params.swa_full)
        is_used = bool(self._chains)
        self.backend = Backend(self.core, is_used, is_set=is_used)
        if self.core.can_shift:
            # llama.cpp crashes where it has to move other keys.
            self.core.can_shift = params.cache_type_k in MOVABLE and self._shifts_cleanly()

    def warm_up(self) -> None:
        """Run one forward and forget it, so that no request pays for first-time work."""
        with captured_errors():
            llama_cpp.llama_set_warmup(self.address, True)
            self._decode_one()
            llama_cpp.llama_set_warmup(self.address, False)
            self.clear()

    def clear(self) -> None:
        """Forget all sequences; nothing else may use the context meanwhile."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.address), True)
        llama_cpp.llama_synchronize(self.address)

    def _shifts_cleanly(self) -> bool:
        """Whether moving some cells leaves the others as they are.

        llama.cpp rotates the keys of all cells then, by nothing where nothing moves, and multiplies
        them by the rotation's attention factor once more (`build_rope_shift`). Under YaRN, and for
        some other models, that is not 1, and would change what every request goes on with.
        """
        memory = llama_cpp.llama_get_memory(self.address)
        with captured_errors():
            self._decode_one()
            before = self._state()
            llama_cpp.llama_memory_seq_add(memory, 0, 0, -1, 1)
            llama_cpp.llama_memory_seq_add(memory, 0, 0, -1, -1)
            self._decode_one()
            llama_cpp.llama_memory_seq_rm(memory, 0, 1, -1)
            after = self._state()
            llama_cpp.llama_memory_clear(memory, True)
        return before == after

    def _decode_one(self) -> None:
        """Run a forward of one token, the next one of sequence 0."""
        token = ctypes.c_int32(0)
        llama_cpp.llama_decode(
            self.address, llama_cpp.llama_batch_get_one(ctypes.pointer(token), 1)
        )

    def _state(self) -> bytes:
        """What the memory holds of sequence 0."""
        size = llama_cpp.llama_state_seq_get_size(self.address, 0)
        state = (ctypes.c_uint8 * size)()
        llama_cpp.llama_state_seq_get_data(self.address, state, size, 0)
        return bytes(state)

    def one_cell(self) -> bytes:
        """What llama.cpp saves of a sequence of one token; the memory is empty, and again after."""
        memory = llama_cpp.llama_get_memory(self.address)
        with captured_errors():
            self._decode_one()
            state = self._state()
            llama_cpp.llama_memory_clear(memory, True)
            llama_cpp.llama_synchronize(self.address)
        return state

    def close(self) -> None:
        if self.address:
            with captured_errors():
                llama_cpp.llama_free(self.address)
        self.address = 0
        self._free_chains()

    def _free_chains(self) -> None:
        while self._chains:
            llama_cpp.llama_sampler_free(self._chains.pop())


def n_sequences(params: EngineParams, *, partitioned: bool) -> int:
    """Sequences of a context: one is spare, in a partitioned memory so that others can change
    places, and in a unified one for the slices of the second tier."""
    return min(params.n_parallel + (partitioned or params.cache_ram > 0), MAX_SEQUENCES)


def draft_rows(params: EngineParams, *, has_model: bool = False) -> int:
    """Rows of a forward that may verify drafts: logits of each come to the host.

    :param has_model: whether there is a draft model.
    """
    if not (params.lookup_ngram_min or has_model):
        return 0
    wanted = params.n_parallel * params.n_draft_max
    return min(wanted, max(params.n_draft_max, MAX_DRAFT_ROWS))


def check_cells(n_ctx: int, params: EngineParams, layout: Layout) -> None:
    """:raises InvalidRequest: a context has more cells than can be counted."""
    n_pools = n_sequences(params, partitioned=True) if layout.partitioned else 1
    if n_ctx * n_pools > MAX_CELLS:
        raise InvalidRequest(
            f"n_ctx: {n_pools} times {n_ctx} cells, {MAX_CELLS} at most", param="n_ctx"
        )


def new_context(
    model: Model,
    params: EngineParams,
    layout: Layout,
    chains: Sequence[Any] = (),
    *,
    n_draft_rows: int = 0,
) -> int:
    """Address of a `llama_context`, owned by the caller; 0 if llama.cpp cannot make it.

    :param n_draft_rows: see `draft_rows`.
    :param chains: of samplers that run beside the model, one for each sequence; borrowed.
    """
    c_params = context_params(model, params, layout)
    c_params.n_outputs_max += n_draft_rows
    configs = (llama_cpp.llama_sampler_seq_config * len(chains))()
    for i, chain in enumerate(chains):
        configs[i].seq_id = i
        configs[i].sampler = ctypes.cast(chain, ctypes.c_void_p)
    if chains:
        c_params.samplers, c_params.n_samplers = configs, len(chains)
    return llama_cpp.llama_init_from_model(model.address, c_params) or 0


def context_params(model: Model, params: EngineParams, layout: Layout) -> Any:
    """``llama_context_params`` of an engine's context."""
    n_seq_max = n_sequences(params, partitioned=layout.partitioned)
    n_cells = (params.n_ctx or model.n_ctx_train) * (n_seq_max if layout.partitioned else 1)
    n_threads = params.n_threads or default_threads()
    c_params = llama_cpp.llama_context_default_params()
    c_params.n_ctx = n_cells
    n_rows = params.n_parallel
    if llama_cpp.llama_model_n_swa(model.address) > 0:
        n_rows += WINDOW_ROOM
    c_params.n_batch = max(params.n_batch, n_rows)
    c_params.n_ubatch = min(params.n_ubatch, c_params.n_batch)
    if n_rows > params.n_parallel:
        c_params.n_ubatch = max(c_params.n_ubatch, n_rows)
    c_params.n_seq_max = n_seq_max
    c_params.n_outputs_max = n_seq_max
    c_params.n_threads = n_threads
    c_params.n_threads_batch = params.n_threads_batch or n_threads
    c_params.kv_unified = not layout.partitioned
    c_params.swa_full = params.swa_full
    c_params.flash_attn_type = FLASH_ATTENTION.index(layout.flash_attention) - 1
    c_params.type_k = CELL_TYPES[params.cache_type_k].number
    c_params.type_v = CELL_TYPES[params.cache_type_v].number
    c_params.offload_kqv = params.kv_offload
    c_params.op_offload = params.op_offload
    for field in dataclasses.fields(params.rope):
        value = getattr(params.rope, field.name)
        is_scaling = field.name == "rope_scaling"
        name = "rope_scaling_type" if is_scaling else field.name
        setattr(c_params, name, ROPE_SCALINGS.index(value) - 1 if is_scaling else value)
    c_params.no_perf = True
    return c_params
