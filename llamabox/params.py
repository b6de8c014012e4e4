"""Parameters of the model, the engine and a request, in llama.cpp's names.

Leaf module: frozen values that validate themselves and know nothing of HTTP. The server turns
OpenAI's names (``max_tokens``, ``stop``) into these.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, TypeVar

from .checks import (
    check_bool,
    check_choice,
    check_encodable,
    check_float,
    check_int,
    check_key,
    check_logit_bias,
    check_rate,
    check_samplers,
    check_strings,
)
from .errors import InvalidRequest
from .ranges import FLOAT_RANGES, INT_RANGES, MAX_DRAFT, MAX_SECONDS, RANDOM_SEED, UNLIMITED
from .samplers import DEFAULT_SAMPLERS

__all__ = ["ChoiceParams", "EngineParams", "GenerationParams", "ModelParams"]

FLASH_ATTENTION = ("auto", "off", "on")
"""Their places less one are llama.cpp's numbers (``llama_flash_attn_type``)."""
KV_LAYOUTS = ("auto", "unified", "partitioned")
BACKEND_SAMPLING = ("auto", "off", "on")
MAX_SEQUENCES = 256
"""Sequences that one llama.cpp context can hold (``LLAMA_MAX_SEQ``)."""
MAX_CHECKPOINTS = 1024
MAX_THREADS = 512
MAX_MIB = 1 << 40
"""Of any storage, as a number of bytes that the core can count."""
MAX_STOPS = 256
MAX_STOP_LENGTH = 65_536
"""Of all stop strings together, in characters."""
MAX_CHOICES = 128
MAX_NGRAM = 16
MAX_BREAKERS = 64
"""Each costs DRY a pass over the vocabulary when the request starts."""

P = TypeVar("P", "EngineParams", "GenerationParams")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelParams:
    """How a GGUF file is loaded (``llama_model_params``).

    :param n_gpu_layers: layers kept on the GPU; -1 for all, ignored by CPU builds.
    :param devices: names of the devices that those go to (`list_devices`), () for none; None for
        all there are.
    :param use_mmap: map the file instead of reading it.
    :param use_mlock: keep the pages in RAM.
    """

    n_gpu_layers: int = -1
    devices: tuple[str, ...] | None = None
    use_mmap: bool = True
    use_mlock: bool = False

    def __post_init__(self) -> None:
        if self.devices is not None:
            check_strings(self, "devices")


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
    :param n_threads_sampling: threads that sample the rows of a forward, 1 for the step's own
        alone; None takes the physical cores, 8 at most.
    :param flash_attention: "on", "off", or "auto" for what a trial at the start finds faster;
        llama.cpp's choice if the model is too slow for a trial, or `warmup` is off.
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
    :param warmup: run one forward when the engine starts, so that no request pays for it.
    """

    n_ctx: int = 4096
    n_parallel: int = 4
    n_batch: int = 2048
    n_ubatch: int = 512
    n_threads: int | None = None
    n_threads_batch: int | None = None
    n_threads_sampling: int | None = None
    kv_layout: str = "auto"
    flash_attention: str = "auto"
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
    warmup: bool = True

    def __post_init__(self) -> None:
        check_int(self, "n_ctx", 0)
        check_int(self, "n_parallel", 1, MAX_SEQUENCES)
        check_int(self, "n_batch", 1)
        check_int(self, "n_ubatch", 1)
        check_choice(self, "flash_attention", FLASH_ATTENTION)
        check_choice(self, "kv_layout", KV_LAYOUTS)
        check_choice(self, "backend_sampling", BACKEND_SAMPLING)
        check_int(self, "n_queue", 0)
        check_float(self, "target_itl", 0, MAX_SECONDS)
        check_int(self, "preempt_ram", 0)
        check_int(self, "checkpoint_ram", 0)
        check_int(self, "ctx_checkpoints", 0, MAX_CHECKPOINTS)
        check_int(self, "checkpoint_min_step", 32)
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
        check_int(self, "cache_ram", 0, MAX_MIB)
        check_int(self, "cache_disk_max", 0, MAX_MIB)
        check_int(self, "cache_min_tokens", 1)
        self._check_cache_disk()
        for name in ("n_threads", "n_threads_batch", "n_threads_sampling"):
            if getattr(self, name) is not None:
                check_int(self, name, 1, MAX_THREADS)

    def _check_cache_disk(self) -> None:
        """What goes to disk comes through RAM."""
        folder: Any = self.cache_disk
        if folder is None:
            return
        if not isinstance(folder, (str, os.PathLike)) or not os.fspath(folder):
            raise InvalidRequest(f"cache_disk: {folder!r} is not a path", param="cache_disk")
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
        return _replaced(self, changes)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GenerationParams:
    """What one request asks of the sampler, and when it ends.

    Samplers run in the order of `samplers`, after `logit_bias`; tokens are those of llama.cpp's
    ``common_sampler`` for the same values and seed. `grammar` is looked at last: a token that it
    rejects is sampled again among those that it allows.

    :param n_predict: output tokens at most; 0 computes the prompt only, -1 has no limit but
        the context; where that shifts, its length or that which the model was trained on,
        whichever is more.
    :param n_keep: tokens of the prompt that context shift never discards, beside the BOS token that
        the model wants; -1 all. Four cells of the context are never kept.
    :param n_discard: tokens behind those that it discards at a time; 0 for half of them.
    :param cache_prompt: start from what others have computed of the prompt; else from nothing.
        Others may start from what it leaves in any case.
    :param n_cache_reuse: behind the common prefix, move chunks of at least so many tokens here that
        a finished request had at another position; 0 moves none. They have seen what was in front
        of them there, so the output is not what computing the prompt would give; only where the
        memory can move cells.
    :param stop: strings that end the output; they are not part of it.
    :param n_probs: tell the log probability of each output token, and of so many of the likeliest
        tokens in its place; -1 tells nothing. They are the model's own, before any sampler.
    :param post_sampling_probs: tell those of the distribution that was sampled from instead.
    :param n_draft_max: tokens that are drafted for a step at most, and the engine's number at most;
        0 for no drafts, -1 for the engine's.
    :param n_draft_min: a draft of fewer tokens is dropped; -1 for the engine's.
    :param draft_p_min: a draft model stops before a token that is less probable; below 0 for the
        engine's.
    :param ignore_eos: go on after an end-of-generation token (it is never sampled).
    :param priority: higher is served first; each level counts as ten seconds of waiting.
    :param deadline: seconds after its submission at which it ends; 0 for never.
    :param tokens_per_second: its output comes no faster, 0.001 to 10^6; 0 has no limit. Choices of
        one prompt share it.
    :param rate_key: requests of one engine with the same key share one such budget; the last one
        that was submitted says how large it is.
    :param temperature: 0 or less is greedy.
    :param dynatemp_range: the temperature moves this far both ways with the entropy; 0 is off.
    :param dynatemp_exponent: how the entropy, from 0 to 1, becomes that temperature.
    :param top_k: candidates kept; 0 keeps all.
    :param top_p: probability mass kept; 1 keeps all.
    :param min_p: least probability kept, relative to the best candidate's; 0 keeps all.
    :param typical_p: probability mass of the locally typical that is kept; 1 keeps all.
    :param top_n_sigma: standard deviations below the best logit that are kept; 0 or less is off.
    :param xtc_probability: of taking all but the last token above `xtc_threshold` out; 0 is off.
    :param xtc_threshold: above 0.5 it is off.
    :param min_keep: candidates that top_p, min_p, typical_p and XTC leave at least.
    :param repeat_last_n: tokens that the penalties look back at; 0 none, -1 the whole context.
    :param repeat_penalty: divides the logit of a repeated token; 1 is off.
    :param presence_penalty: subtracted from the logit of a repeated token.
    :param frequency_penalty: subtracted for each time it was repeated.
    :param dry_multiplier: scale of DRY's penalty on tokens that continue a repetition; 0 is off.
    :param dry_base: the penalty grows by this factor with each repeated token; below 1 is off.
    :param dry_allowed_length: repeated tokens that are not penalised yet.
    :param dry_penalty_last_n: tokens that DRY looks back at; 0 none, -1 the whole context.
    :param dry_sequence_breakers: strings that no repetition reaches across.
    :param mirostat: 1 or 2 replaces all samplers but the temperature; 0 is off.
    :param mirostat_tau: target entropy, in bits.
    :param mirostat_eta: learning rate.
    :param adaptive_target: probability that adaptive-p aims at, if ``adaptive_p`` is among the
        samplers; below 0 it only samples.
    :param adaptive_decay: of its memory, 0 to 0.99.
    :param logit_bias: (token id, added to its logit) pairs; ``-math.inf`` bans the token.
    :param samplers: names in their order; see `llamabox.samplers`.
    :param grammar: GBNF that the output keeps to, from its rule ``root``.
    :param seed: of the samplers' RNGs; -1 draws one.
    """

    n_predict: int = UNLIMITED
    n_keep: int = 0
    n_discard: int = 0
    cache_prompt: bool = True
    n_cache_reuse: int = 0
    stop: tuple[str, ...] = ()
    n_probs: int = -1
    post_sampling_probs: bool = False
    n_draft_max: int = -1
    n_draft_min: int = -1
    draft_p_min: float = -1.0
    ignore_eos: bool = False
    priority: int = 0
    deadline: float = 0.0
    tokens_per_second: float = 0.0
    rate_key: str | None = None
    temperature: float = 0.8
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.1
    typical_p: float = 1.0
    top_n_sigma: float = -1.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    min_keep: int = 0
    repeat_last_n: int = 64
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    adaptive_target: float = -1.0
    adaptive_decay: float = 0.9
    logit_bias: tuple[tuple[int, float], ...] = ()
    samplers: tuple[str, ...] = DEFAULT_SAMPLERS
    grammar: str | None = None
    seed: int = RANDOM_SEED

    def __post_init__(self) -> None:
        for name, lowest, highest in INT_RANGES:
            check_int(self, name, lowest, highest)
        for name, low, high in FLOAT_RANGES:
            check_float(self, name, low, high)
        check_bool(self, "cache_prompt")
        check_rate(self, "tokens_per_second")
        check_key(self, "rate_key")
        check_strings(self, "stop")
        if len(self.stop) > MAX_STOPS or sum(map(len, self.stop)) > MAX_STOP_LENGTH:
            raise InvalidRequest(
                f"stop: more than {MAX_STOPS} strings or {MAX_STOP_LENGTH} characters",
                param="stop",
            )
        check_strings(self, "dry_sequence_breakers")
        if len(self.dry_sequence_breakers) > MAX_BREAKERS:
            raise InvalidRequest(
                f"dry_sequence_breakers: more than {MAX_BREAKERS}", param="dry_sequence_breakers"
            )
        check_logit_bias(self)
        check_samplers(self)
        if self.grammar is not None:
            if not isinstance(self.grammar, str):
                raise InvalidRequest(f"grammar: {self.grammar!r} is not a string", param="grammar")
            check_encodable(self.grammar, "grammar")

    def replace(self, **changes: Any) -> GenerationParams:
        """These parameters with some fields changed.

        :raises InvalidRequest: a field is unknown or out of range.
        """
        return _replaced(self, changes)


def _replaced(params: P, changes: dict[str, Any]) -> P:
    try:
        return dataclasses.replace(params, **changes)
    except TypeError as error:
        raise InvalidRequest(str(error)) from None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceParams:
    """How many outputs a prompt gets.

    :param n: outputs that are returned, 1 to `MAX_CHOICES`.
    :param best_of: outputs that are generated, `n` or more; those with the highest mean log
        probability per token are returned. None generates `n`.
    """

    n: int = 1
    best_of: int | None = None

    def __post_init__(self) -> None:
        check_int(self, "n", 1, MAX_CHOICES)
        if self.best_of is not None:
            check_int(self, "best_of", self.n, MAX_CHOICES)

    @property
    def n_generated(self) -> int:
        return self.best_of or self.n

    @property
    def are_ranked(self) -> bool:
        """Whether more are generated than returned."""
        return self.n_generated > self.n
