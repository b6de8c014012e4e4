"""What one request asks for."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

from ..checks import (
    check_bool,
    check_float,
    check_int,
    check_key,
    check_logit_bias,
    check_rate,
    check_samplers,
    check_scales,
    check_strings,
)
from ..errors import InvalidRequest
from ..ranges import ANY_SLOT, FLOAT_RANGES, INT_RANGES, RANDOM_SEED, UNLIMITED
from ..samplers import DEFAULT_SAMPLERS
from .constraint import MAX_LENGTHS, check_alone, check_constraint
from .replacing import changed

MAX_STOPS = 256
MAX_STOP_LENGTH = 65_536
"""Of all stop strings together, in characters."""
BOOLS = ("cache_prompt", "special", "progress", "post_sampling_probs", "ignore_eos")
MAX_BREAKERS = 64
"""Each costs DRY a pass over the vocabulary when the request starts."""
MAX_BREAKERS_LENGTH = 1024
"""Of all together: characters may cost a millisecond each. llama.cpp looks at 40 bytes of one."""


def _check_texts(params: object, name: str, *, n_most: int, n_most_characters: int) -> None:
    check_strings(params, name)
    texts: tuple[str, ...] = getattr(params, name)
    if len(texts) > n_most or sum(map(len, texts)) > n_most_characters:
        reason = f"more than {n_most} strings or {n_most_characters} characters"
        raise InvalidRequest(f"{name}: {reason}", param=name)


CHECKS: Mapping[str, Callable[[object, str], None]] = {
    **{name: functools.partial(check_int, low=low, high=high) for name, low, high in INT_RANGES},
    **{
        name: functools.partial(check_float, low=low, high=high) for name, low, high in FLOAT_RANGES
    },
    **dict.fromkeys(BOOLS, check_bool),
    **dict.fromkeys(MAX_LENGTHS, check_constraint),
    "tokens_per_second": check_rate,
    "rate_key": check_key,
    "lora": check_scales,
    "stop": functools.partial(_check_texts, n_most=MAX_STOPS, n_most_characters=MAX_STOP_LENGTH),
    "dry_sequence_breakers": functools.partial(
        _check_texts, n_most=MAX_BREAKERS, n_most_characters=MAX_BREAKERS_LENGTH
    ),
    "logit_bias": check_logit_bias,
    "samplers": check_samplers,
}
"""What each field is checked with."""


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerationParams:
    """What one request asks of the sampler, and when it ends.

    Samplers run in the order of `samplers`, after `logit_bias`; tokens are those of llama.cpp's
    ``common_sampler`` for the same values and seed. `grammar` is looked at last: a token that it
    rejects is sampled again among those that it allows.

    :param n_predict: output tokens at most; 0 computes the prompt only, -1 has no limit but
        the context; where that shifts, its length or that which the model was trained on,
        whichever is more.
    :param n_predict_min: output tokens of which none ends the generation, and none completes a stop
        string: what looks like one is text. A grammar that has come to its end still ends it.
    :param max_predict_time: seconds after its first token, from which on the end of a line ends it;
        0 for never.
    :param n_indent: it ends where a line but the first begins with fewer spaces and tabs, and the
        rest of that line is no part of it; 0 is off.
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
    :param special: the text of control tokens is part of the output too, but for the token that
        ends it.
    :param progress: tell how much of the prompt is computed, once a step at most.
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
    :param lora: (number of an adapter in `EngineParams.lora`, scale) pairs; those that it does not
        name are off; None for the engine's scales. Requests with different adapters are computed
        in different steps, and share no prefixes.
    :param slot: the slot that it takes if that is idle when its turn has come, else any; -1 for
        any. Prefixes are found whatever slot has computed them.
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
    :param logit_bias: (token id, added to its logit) pairs; ``-math.inf`` bans the token. A text
        instead of an id stands for each of its tokens.
    :param samplers: names in their order; see `llamabox.samplers`.
    :param grammar: GBNF that the output keeps to, from its rule ``root``; or a grammar of
        llguidance, in its variant of Lark, from ``start``, if it begins with ``%llguidance``.
    :param json_schema: JSON text of a schema that the output, which is JSON, keeps to.
    :param regex: a regular expression, in the syntax of Rust's, that matches the output in full.
    :param constrained_after: any of these holds behind this text alone, which comes once; it is
        not for GBNF.
    :param seed: of the samplers' RNGs; -1 draws one.
    """

    n_predict: int = UNLIMITED
    n_predict_min: int = 0
    max_predict_time: float = 0.0
    n_indent: int = 0
    n_keep: int = 0
    n_discard: int = 0
    cache_prompt: bool = True
    n_cache_reuse: int = 0
    stop: tuple[str, ...] = ()
    special: bool = False
    progress: bool = False
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
    lora: tuple[tuple[int, float], ...] | None = None
    slot: int = ANY_SLOT
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
    logit_bias: tuple[tuple[int | str, float], ...] = ()
    samplers: tuple[str, ...] = DEFAULT_SAMPLERS
    grammar: str | None = None
    json_schema: str = ""
    regex: str = ""
    constrained_after: str = ""
    seed: int = RANDOM_SEED

    def __post_init__(self) -> None:
        self._check(CHECKS)

    def replace(self, **changes: Any) -> GenerationParams:
        """These parameters with some fields changed; the same ones if they have these very values.

        :raises InvalidRequest: a field is unknown or out of range.
        """
        changes = changed(self, changes)
        if not changes:
            return self
        # A request has its parameters replaced several times: only what is new is checked.
        params = object.__new__(GenerationParams)
        vars(params).update(vars(self), **changes)
        params._check(changes)
        return params

    def _check(self, names: Iterable[str]) -> None:
        for name in names:
            CHECKS[name](self, name)
        check_alone(self)
