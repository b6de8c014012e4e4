"""Size, threads and policies of an engine."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from ..checks import (
    check_bool,
    check_choice,
    check_float,
    check_int,
    check_rate,
    check_scaled_files,
)
from ..errors import InvalidRequest
from ..ranges import MAX_DRAFT, MAX_SECONDS
from .cpu import CpuParams
from .replacing import replaced
from .rope import RopeParams

FLASH_ATTENTION = ("auto", "off", "on")
"""Their places less one are llama.cpp's numbers (``llama_flash_attn_type``)."""
KV_LAYOUTS = ("auto", "unified", "partitioned")
BACKEND_SAMPLING = ("auto", "off", "on")
CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
MOVABLE = CACHE_TYPES[:2]
"""Types whose positions llama.cpp can change (``ggml_compute_forward_rope``)."""
QUANTIZED = CACHE_TYPES[3:]
MAX_SEQUENCES = 256
"""Sequences that one llama.cpp context can hold (``LLAMA_MAX_SEQ``)."""
MAX_CHECKPOINTS = 1024
MIN_CHECKPOINT_STEP = 32
MAX_THREADS = 512
MAX_MIB = 1 << 40
"""Of any storage, as a number of bytes that the core can count."""
MAX_NGRAM = 16
BOOLS = (
    "kv_offload",
    "op_offload",
    "context_shift",
    "swa_full",
    "lora_init_without_apply",
    "warmup",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineParams:
    """Size and threads of an engine (``llama_context_params``).

    :param n_ctx: tokens that a request may hold at most; 0 takes the model's own length.
    :param n_parallel: requests that run at once.
    :param kv_layout: "unified" for one pool of `n_ctx` cells that all requests share;
        "partitioned" for `n_ctx` cells for each, which takes `n_parallel` + 1 times the memory
        and keeps attention local; "auto" takes the second if a quarter of the memory at hand can
        hold it and a trial at the start finds it faster, or there is none: the model is too slow
        for it, or `warmup` is off. With an `n_parallel` of 1 it is always the first.
    :param n_batch: rows of a forward at most, while nothing is decoding.
    :param n_ubatch: rows that llama.cpp computes at a time, and the prefill rows of a forward
        that also decodes.
    :param n_threads: compute threads; None takes the physical cores less one, at least one.
    :param n_threads_batch: compute threads of forwards over several rows; None: ``n_threads``.
    :param cpu: where those threads run, and how they wait.
    :param cpu_batch: the same for forwards over several rows; None: ``cpu``.
    :param n_threads_sampling: threads that sample the rows of a forward, 1 for the step's own
        alone; None takes the physical cores, 8 at most.
    :param flash_attention: "on", "off", or "auto" for what a trial at the start finds faster;
        llama.cpp's choice if the model is too slow for a trial, or `warmup` is off.
    :param cache_type_k: type of the keys in cells, one of `CACHE_TYPES`; those that
        are not in `MOVABLE` cannot be moved, so not with `context_shift`, nor by
        `GenerationParams.n_cache_reuse`.
    :param cache_type_v: of the values; a quantized one needs flash attention.
    :param kv_offload: cells lie where the layers do, on a GPU; else in RAM.
    :param op_offload: a GPU computes on large batches what lies in RAM.
    :param rope: scaling of positions.
    :param n_queue: requests that may wait for a slot; more are refused; 0 has no limit.
    :param target_itl: seconds between two tokens of a request that prompts of others may stretch
        a step to; 0 for four times what a step takes that only decodes.
    :param preempt_ram: MiB in which requests keep their cells when others need those; without
        room there, the cells are computed again.
    :param context_shift: a request that has filled the context goes on without some of its tokens
        (`GenerationParams.n_keep`), instead of ending there.
    :param swa_full: keep all cells of a sliding window, as of other layers: more memory, and any
        part of a prefix can be reused.
    :param checkpoint_ram: MiB for checkpoints of the states of recurrent and hybrid models, and of
        sliding windows, from which prompts can start; other models need none; 0 takes none.
    :param ctx_checkpoints: such checkpoints at most, times `n_parallel`.
    :param checkpoint_min_step: tokens of a long prompt between two checkpoints.
    :param cache_ram: MiB for prefixes that sequences have no room for any more, taken as they are
        saved; 0 keeps none, also on disk. Models whose memory cannot be cut have checkpoints
        instead.
    :param cache_disk: a directory that keeps them beyond that, and when the engine is closed, for
        any engine of the same model and settings; it is made if need be. None keeps none.
    :param cache_disk_max: MiB of its files.
    :param cache_min_tokens: of the shortest prefix that is saved.
    :param backend_sampling: "on" lets llama.cpp sample beside the model what it can sample there,
        so that tokens come from the device instead of logits; "auto" does so if the device that
        computes the logits is a GPU. Only requests with the same sampling parameters take turns
        without a new graph.
    :param lookup_ngram_min: draft what followed an earlier occurrence of the last tokens, so many
        of them at least; 0 is off.
    :param n_draft_max: tokens that are drafted for a step of a request at most, whatever drafts
        them; how many depends on how well that goes. 0 is off.
    :param n_draft_min: a draft of fewer tokens is dropped.
    :param draft_p_min: a draft model stops before a token that is less probable.
    :param n_ctx_draft: tokens that the draft model's context holds of each request; 0 takes the
        engine's `n_ctx`.
    :param tokens_per_second: what a request may ask for at most; 0 for no such limit, -1 for what a
        request alone gets in a trial at the start.
    :param lora: LoRA adapters, as (path, scale) pairs, for requests that name none of their own
        (`GenerationParams.lora`).
    :param lora_init_without_apply: all of them have a scale of 0 at the start.
    :param control_vectors: files of directions, as (path, scale) pairs, that are added to what
        layers put out, for every request.
    :param control_vector_layers: the first and the last layer to which they are; None for all.
    :param warmup: run one forward when the engine starts, so that no request pays for it.
    """

    n_ctx: int = 4096
    n_parallel: int = 4
    n_batch: int = 2048
    n_ubatch: int = 512
    n_threads: int | None = None
    n_threads_batch: int | None = None
    cpu: CpuParams = dataclasses.field(default_factory=CpuParams)
    cpu_batch: CpuParams | None = None
    n_threads_sampling: int | None = None
    kv_layout: str = "auto"
    flash_attention: str = "auto"
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    kv_offload: bool = True
    op_offload: bool = True
    rope: RopeParams = dataclasses.field(default_factory=RopeParams)
    n_queue: int = 0
    target_itl: float = 0.0
    preempt_ram: int = 256
    context_shift: bool = False
    swa_full: bool = False
    checkpoint_ram: int = 256
    ctx_checkpoints: int = 32
    checkpoint_min_step: int = 8192
    cache_ram: int = 1024
    cache_disk: str | None = None
    cache_disk_max: int = 8192
    cache_min_tokens: int = 128
    backend_sampling: str = "auto"
    lookup_ngram_min: int = 0
    n_draft_max: int = 16
    n_draft_min: int = 0
    draft_p_min: float = 0.8
    n_ctx_draft: int = 0
    tokens_per_second: float = 0.0
    lora: tuple[tuple[str, float], ...] = ()
    lora_init_without_apply: bool = False
    control_vectors: tuple[tuple[str, float], ...] = ()
    control_vector_layers: tuple[int, int] | None = None
    warmup: bool = True

    def __post_init__(self) -> None:
        check_int(self, "n_ctx", 0)
        check_int(self, "n_parallel", 1, MAX_SEQUENCES)
        check_int(self, "n_batch", 1)
        check_int(self, "n_ubatch", 1)
        for name in ("n_threads", "n_threads_batch", "n_threads_sampling"):
            if getattr(self, name) is not None:
                check_int(self, name, 1, MAX_THREADS)
        check_choice(self, "flash_attention", FLASH_ATTENTION)
        check_choice(self, "kv_layout", KV_LAYOUTS)
        check_choice(self, "backend_sampling", BACKEND_SAMPLING)
        self._check_nested()
        check_choice(self, "cache_type_k", CACHE_TYPES)
        check_choice(self, "cache_type_v", CACHE_TYPES)
        if self.cache_type_v in QUANTIZED and self.flash_attention == "off":
            raise InvalidRequest(
                f"cache_type_v: {self.cache_type_v} needs flash_attention", param="cache_type_v"
            )
        if self.cache_type_k not in MOVABLE and self.context_shift:
            raise InvalidRequest(
                f"cache_type_k: {self.cache_type_k} keys cannot be moved, as context_shift has to",
                param="cache_type_k",
            )
        check_int(self, "n_queue", 0)
        check_float(self, "target_itl", 0, MAX_SECONDS)
        check_int(self, "preempt_ram", 0)
        check_int(self, "checkpoint_ram", 0)
        check_int(self, "ctx_checkpoints", 0, MAX_CHECKPOINTS)
        check_int(self, "checkpoint_min_step", MIN_CHECKPOINT_STEP)
        check_rate(self, "tokens_per_second", may_be_measured=True)
        check_int(self, "lookup_ngram_min", 0, MAX_NGRAM)
        check_int(self, "n_draft_max", 0, MAX_DRAFT)
        check_int(self, "n_draft_min", 0, MAX_DRAFT)
        if 0 < self.n_draft_max < self.n_draft_min:
            raise InvalidRequest(
                f"n_draft_min: {self.n_draft_min} is above the n_draft_max of {self.n_draft_max}",
                param="n_draft_min",
            )
        check_float(self, "draft_p_min", 0, 1)
        check_int(self, "n_ctx_draft", 0)
        self._check_caches()

    def _check_nested(self) -> None:
        for name in BOOLS:
            check_bool(self, name)
        kinds = (("cpu", CpuParams), ("cpu_batch", CpuParams | None), ("rope", RopeParams))
        for name, kind in kinds:
            if not isinstance(getattr(self, name), kind):
                raise InvalidRequest(f"{name}: {getattr(self, name)!r} is none", param=name)

    def _check_caches(self) -> None:
        check_int(self, "cache_ram", 0, MAX_MIB)
        check_int(self, "cache_disk_max", 0, MAX_MIB)
        check_int(self, "cache_min_tokens", 1)
        self._check_cache_disk()
        check_scaled_files(self, "lora")
        check_scaled_files(self, "control_vectors")
        self._check_layers()

    def _check_layers(self) -> None:
        name = "control_vector_layers"
        layers: Any = self.control_vector_layers
        if layers is None:
            return
        if (
            not isinstance(layers, tuple)
            or len(layers) != 2
            or not all(isinstance(i, int) and not isinstance(i, bool) for i in layers)
        ):
            raise InvalidRequest(f"{name}: {layers!r} is not a pair of layers", param=name)
        if not 0 < layers[0] <= layers[1]:
            raise InvalidRequest(f"{name}: {layers!r} are no layers from 1 on", param=name)

    def _check_cache_disk(self) -> None:
        """What goes to disk comes through RAM."""
        folder: Any = self.cache_disk
        if folder is None:
            return
        if not isinstance(folder, (str, os.PathLike)) or not os.fspath(folder):
            raise InvalidRequest(f"cache_disk: {folder!r} is not a path", param="cache_disk")
        try:
            Path(folder).expanduser()
        except RuntimeError as error:
            raise InvalidRequest(f"cache_disk: {folder}: {error}", param="cache_disk") from None
        if self.cache_ram == 0:
            raise InvalidRequest("cache_disk: needs some cache_ram", param="cache_disk")
        if self.cache_disk_max == 0:
            raise InvalidRequest(
                "cache_disk_max: 0 leaves cache_disk no room", param="cache_disk_max"
            )

    def replace(self, **changes: Any) -> EngineParams:
        """These parameters with some fields changed.

        :raises InvalidRequest: a field is unknown or out of range.
        """
        return replaced(self, changes)
