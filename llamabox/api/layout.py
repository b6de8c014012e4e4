"""The layout of a context where it is left open: by the memory at hand, and by trial."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable

import llama_cpp

from ..errors import ModelLoadError
from ..params import QUANTIZED, EngineParams
from .cell_types import CELL_TYPES
from .context import MAX_CELLS, Layout, n_sequences
from .library import captured_errors
from .model import Model
from .system import memory_at_hand
from .trial import N_CHUNK, ROUNDS, Trial

MEMORY_SHARE = 0.25
"""Of the memory at hand that the cells of a partitioned context may take."""
MAX_SEQUENCES = 16
SESSION_SHARE = 8
"""A session is taken to hold an eighth of its context, within these bounds:"""
MIN_FILL = 128
MAX_FILL = 512
MAX_DEEP_FILL = 2048
TRIAL_SECONDS = 2.0
"""What all trials may take together, about; slower models are not tried."""
WORTH = 0.95
"""Share of a favourite's time below which another layout is taken."""


def choose_layout(model: Model, params: EngineParams, draft: Model | None = None) -> Layout:
    """Decide what `params` leave to us; blocks for twice `TRIAL_SECONDS` at most, about.

    :param draft: a draft model, whose context will have the same layout.

    A model that is too slow for trials, or an engine without warm-up, gets the partitioned layout
    if memory allows, because its cost does not grow with what others hold.
    """
    partitioned = _partitions(model, params, draft)
    attentions = [params.flash_attention]
    if params.cache_type_v in QUANTIZED:
        attentions = ["on"]
    elif params.flash_attention == "auto" and params.warmup:
        attentions = ["on", "off"]
    candidates = [Layout(*pair) for pair in itertools.product(partitioned, attentions)]
    if len(candidates) == 1:
        return candidates[0]
    chosen = _try_out(model, params, candidates) if params.warmup else None
    if chosen is not None:
        return chosen
    return Layout(partitioned[-1], attentions[0] if len(attentions) == 1 else "auto")


def _partitions(model: Model, params: EngineParams, draft: Model | None) -> list[bool]:
    """The values of `Layout.partitioned` that may be chosen."""
    if params.n_parallel == 1 or params.kv_layout == "unified":
        return [False]
    if params.kv_layout == "partitioned":
        return [True]
    n_ctx, n_pools = params.n_ctx or model.n_ctx_train, n_sequences(params, partitioned=True)
    n_cells = n_ctx * n_pools
    n_bytes = n_cells * cell_bytes(model, params.cache_type_k, params.cache_type_v)
    if draft is not None:
        n_bytes += (params.n_ctx_draft or n_ctx) * n_pools * cell_bytes(draft)
    fits = n_bytes <= MEMORY_SHARE * memory_at_hand()
    return [False, True] if fits and n_cells <= MAX_CELLS else [False]


def cell_bytes(model: Model, type_k: str = "f16", type_v: str = "f16") -> float:
    """Bytes of a cell, K and V in all layers, by the model's metadata; 0 without attention.

    The metadata of a hybrid model do not say which layers have attention, so it is measured.
    """
    address = model.address
    if llama_cpp.llama_model_is_hybrid(address):
        n_most = max(CELL_TYPES[kind].n_bytes for kind in (type_k, type_v))
        return _measured_cell_bytes(model) * n_most / CELL_TYPES["f16"].n_bytes
    n_head = llama_cpp.llama_model_n_head(address)
    if n_head <= 0:
        return 0
    head = model.n_embd // n_head
    prefix = f"{model.metadata.get('general.architecture')}.attention"
    n_bytes = 0.0
    for name, kind in (("key", type_k), ("value", type_v)):
        told = model.metadata.get(f"{prefix}.{name}_length", "")
        # What replaces a number may be none; llama.cpp does not take it then.
        n_bytes += (int(told) if told.isdecimal() else head) * CELL_TYPES[kind].n_bytes
    n_layer: int = llama_cpp.llama_model_n_layer(address)
    n_head_kv: int = llama_cpp.llama_model_n_head_kv(address)
    return n_layer * n_head_kv * n_bytes


def _measured_cell_bytes(model: Model) -> int:
    """What a token adds to the state of a sequence; more than any memory has if it is unknown."""
    with captured_errors():
        try:
            trial = Trial(model, EngineParams(), Layout(False, "off"), 1, MIN_FILL)
        except ModelLoadError:
            return sys.maxsize
        try:
            return trial.token_bytes()
        except ModelLoadError:
            return sys.maxsize
        finally:
            trial.close()


def _try_out(model: Model, params: EngineParams, candidates: list[Layout]) -> Layout | None:
    """The fastest candidate; None if the model is too slow to try them, or refuses to.

    A partitioned one has to be worth its memory. For it flash attention is tried again on as many
    tokens as sessions hold, and has to be worth its long chunks: without it, few rows of a prompt
    cost no more each than many, and others' tokens wait less.
    """
    n_tried = min(params.n_parallel, MAX_SEQUENCES)
    n_session = (params.n_ctx or model.n_ctx_train) // SESSION_SHARE
    n_deep = min(n_session, MAX_DEEP_FILL)
    n_fill = max(MIN_FILL, min(n_session, MAX_FILL))
    n_rows = ROUNDS * (N_CHUNK + n_tried)
    seconds = 0.0
    trials: dict[Layout, Trial] = {}
    with captured_errors():
        try:
            for layout in candidates:
                n_most = max(n_fill, n_deep) if layout.partitioned else n_fill
                trials[layout] = Trial(model, params, layout, n_tried, n_most)
                seconds = trials[layout].row_seconds()
                n_fill = min(n_fill, int(TRIAL_SECONDS / len(candidates) / seconds) - n_rows)
                if n_fill < MIN_FILL:
                    return None
            chosen = _fastest(trials, n_fill, lambda layout: not layout.partitioned)
            rivals = {layout: trials[layout] for layout in candidates if layout.partitioned}
            is_quick = n_deep * len(rivals) * seconds < TRIAL_SECONDS
            is_deeper = n_deep >= 2 * n_fill and n_deep > n_fill + n_rows
            if chosen.partitioned and len(rivals) > 1 and is_deeper and is_quick:
                chosen = _fastest(rivals, n_deep, lambda layout: layout.flash_attention == "off")
            return chosen
        except ModelLoadError:
            return None
        finally:
            for trial in trials.values():
                trial.close()


def _fastest(
    trials: dict[Layout, Trial], n_fill: int, is_favourite: Callable[[Layout], bool]
) -> Layout:
    for trial in trials.values():
        trial.fill(n_fill)
    for _ in range(ROUNDS):
        for trial in trials.values():
            trial.measure()

    def seconds(layout: Layout) -> float:
        return trials[layout].session_seconds * (WORTH if is_favourite(layout) else 1)

    return min(trials, key=seconds)
