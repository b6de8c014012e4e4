"""The samplers of a request as llama.cpp runs them beside the model, where the logits are computed.

llama.cpp calls this backend sampling. Its graphs follow the samplers only where the conditions
below hold; beyond them they abort the process, or sample another distribution.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from typing import Any

from .chain import GREEDY, TOP_K, Builder, Parts, f32

Stage = tuple[Any, ...]
"""What follows ``llama_sampler_init_`` in a constructor's name, and its arguments."""

MAX_TOP_K = 1024
"""Candidates that are worth copying to the host, which llama.cpp does with all of them."""
MAX_EDITS = 1024
"""Biases, and tokens that penalties look back at: they go to the device with every token."""
MIN_TEMPERATURE = 0.01
MAX_MIN_P = 0.99
"""Closer to 0 and to 1 the graph's threshold rounds to the best logit, and cuts that too."""
ALL_BUT_ROUNDING = 1 - 2**-24
"""The largest float below 1: as top_p it sorts the candidates and keeps them."""
FILTERS = frozenset(("top_k", "top_p", "min_p", "temperature"))


def backend_chain(
    binding: Any, params: Any, parts: Parts, *, n_vocab: int, n_ctx: int, seed: int
) -> tuple[Any, int] | None:
    """The chain for `llama_set_sampler`, and a number that chains share that differ by their seed.

    None if llama.cpp cannot run these samplers so that nothing but rounding differs. top_k gives
    the candidates in no order, so they are sorted behind it: else a seed would not say what it
    draws.

    :param params: a `GenerationParams`.
    :param parts: what `build_parts` has made of them.
    """
    builder = Builder(binding, params, n_vocab=n_vocab, n_ctx=n_ctx)
    order = [name for name in params.samplers if builder.is_active(name)]
    n_leading = len(parts.lookbacks)
    rest = order[n_leading:]
    if order[:n_leading] not in ([], ["penalties"]):
        return None
    if not _can_lead(params, parts, n_vocab) or not _can_follow(params, parts, rest):
        return None
    stages = _edits(params, parts, n_vocab)
    if parts.prune == GREEDY:
        stages.append(_temperature(0.0))
    else:
        stages += _filters(params, rest)
    key = hashlib.blake2b(repr(stages).encode(), digest_size=8).digest()
    return _chain(binding, stages, n_vocab, seed), int.from_bytes(key, "little", signed=True)


def largest_chain(binding: Any, n_vocab: int) -> Any:
    """A chain that needs as much memory as any that `backend_chain` makes."""
    n_edits = min(MAX_EDITS, n_vocab)
    stages: list[Stage] = [
        ("logit_bias", tuple((token, 0.0) for token in range(n_edits))),
        ("penalties", n_vocab, n_edits, 1.1, 0.1, 0.1),
        ("top_k", min(MAX_TOP_K, n_vocab)),
        ("top_p", 0.9, 0),
        ("min_p", 0.1, 0),
        _temperature(0.8),
    ]
    return _chain(binding, stages, n_vocab, seed=0)


def _can_lead(params: Any, parts: Parts, n_vocab: int) -> bool:
    """What works on all logits: biases and penalties."""
    n_banned = sum(bias == -math.inf for _, bias in parts.biases)
    n_kept = 1 if parts.prune == GREEDY else params.top_k
    return (
        parts.grammar is None
        and len(parts.biases) <= MAX_EDITS
        and n_vocab - n_banned >= n_kept
        and all(lookback.last_n <= MAX_EDITS for lookback in parts.lookbacks)
    )


def _can_follow(params: Any, parts: Parts, rest: list[str]) -> bool:
    """What narrows the candidates down."""
    if parts.prune == GREEDY:
        return True
    return (
        parts.prune == TOP_K
        and FILTERS.issuperset(rest)
        and len(rest) == len(set(rest))  # a second top_k or top_p finds candidates in columns
        and "adaptive_p" not in params.samplers
        and params.top_k <= MAX_TOP_K
        and params.min_keep <= 1
        and not f32(params.dynatemp_range) > 0
        and ("temperature" not in rest or params.temperature >= MIN_TEMPERATURE)
        and ("min_p" not in rest or params.min_p <= MAX_MIN_P)
    )


def _edits(params: Any, parts: Parts, n_vocab: int) -> list[Stage]:
    stages: list[Stage] = []
    if parts.biases:
        biases: dict[int, float] = defaultdict(float)
        for token, bias in parts.biases:
            biases[token] += bias
        stages.append(("logit_bias", tuple(sorted(biases.items()))))
    penalties = params.repeat_penalty, params.frequency_penalty, params.presence_penalty
    stages += [("penalties", n_vocab, lookback.last_n, *penalties) for lookback in parts.lookbacks]
    return stages


def _filters(params: Any, rest: list[str]) -> list[Stage]:
    made: dict[str, Stage] = {
        "top_k": ("top_k", params.top_k),
        "top_p": ("top_p", params.top_p, 0),
        "min_p": ("min_p", params.min_p, 0),
        "temperature": _temperature(params.temperature),
    }
    stages: list[Stage] = []
    for name, following in zip(rest, [*rest[1:], None], strict=True):
        stages.append(made[name])
        if name == "top_k" and following != "top_p":
            stages.append(("top_p", ALL_BUT_ROUNDING, 0))
    return stages


def _temperature(temperature: float) -> Stage:
    return "temp_ext", temperature, 0.0, 1.0


def _chain(binding: Any, stages: list[Stage], n_vocab: int, seed: int) -> Any:
    chain = binding.llama_sampler_chain_init(binding.llama_sampler_chain_default_params())
    for name, *arguments in stages:
        if name == "logit_bias":
            biases = [binding.llama_logit_bias(token, bias) for token, bias in arguments[0]]
            array = (binding.llama_logit_bias * len(biases))(*biases)
            sampler = binding.llama_sampler_init_logit_bias(n_vocab, len(biases), array)
        else:
            sampler = getattr(binding, f"llama_sampler_init_{name}")(*arguments)
        binding.llama_sampler_chain_add(chain, sampler)
    binding.llama_sampler_chain_add(chain, binding.llama_sampler_init_dist(seed))
    return chain
