"""Construction of a request's samplers: which llama.cpp samplers, in which order, and what of the
vocabulary may be left out before they run.

The order is that of llama.cpp's ``common_sampler_init`` (common/sampling.cpp).
"""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import itertools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import InvalidRequest
from .dry import MakeDry, new_dry

GREEDY, TOP_K, MIN_P, FULL = range(4)  # PruneC
MIROSTAT_M = 100  # as in common_sampler_init
LOOKBACKS = {"penalties", "dry"}
KEEP_BEST = {"top_n_sigma", "top_k", "top_p", "min_p"}  # whatever they take out, never the best
NEEDS_SEVERAL = {"typ_p", "infill"}  # of one finite candidate among others they make nonsense

ROOT = "root"
MAX_DEPTH = 256  # llama.cpp's parser recurses, and would overflow the stack
MAX_RULES = 10_000
OPAQUE = re.compile(
    r'"(?:\\.|[^"\\])*(?:"|\\?\Z)|\[(?:\\.|[^\]\\])*(?:\]|\\?\Z)|<[^>]*(?:>|\Z)|#[^\n]*', re.DOTALL
)
"""What parentheses mean nothing in: literals, character classes, tokens, comments.

One without an end, which no parser gets beyond, is all that follows, so that none is searched for
an end again and again.
"""


def f32(value: float) -> float:
    """`value` as llama.cpp gets it."""
    return ctypes.c_float(value).value


IS_ACTIVE: dict[str, Callable[[Any], bool]] = {
    "top_n_sigma": lambda p: f32(p.top_n_sigma) > 0,
    "top_k": lambda p: bool(p.top_k > 0),
    "typ_p": lambda p: f32(p.typical_p) < 1,
    "top_p": lambda p: f32(p.top_p) < 1,
    "min_p": lambda p: f32(p.min_p) > 0,
    "xtc": lambda p: f32(p.xtc_probability) > 0 and f32(p.xtc_threshold) <= 0.5,
    "temperature": lambda p: f32(p.temperature) != 1 or f32(p.dynatemp_range) > 0,
    "infill": lambda p: True,
    "adaptive_p": lambda p: False,  # no part of the order: it takes the place of dist
}
"""Whether a `GenerationParams` asks for more of a filter than an empty sampler."""


@dataclasses.dataclass(slots=True)
class Lookback:
    """A sampler that knows the last `last_n` tokens; `leads` if it is not in the chain."""

    sampler: Any
    last_n: int
    leads: bool


@dataclasses.dataclass(slots=True)
class Parts:
    """Samplers, owned, as ctypes pointers; None where there is none."""

    biases: list[tuple[int, float]]
    lookbacks: list[Lookback] = dataclasses.field(default_factory=list)
    chain: Any = None
    grammar: Any = None
    prune: int = FULL
    temperature: float = 1.0
    """What divides the logits before the filter that `prune` anticipates."""

    def free(self, binding: Any) -> None:
        leading = [lookback.sampler for lookback in self.lookbacks if lookback.leads]
        for sampler in (self.chain, self.grammar, *leading):
            if sampler is not None:
                binding.llama_sampler_free(sampler)
        self.chain = self.grammar = None
        self.lookbacks = []


def build_parts(
    binding: Any,
    params: Any,
    *,
    n_vocab: int,
    n_ctx: int,
    banned: Sequence[int] = (),
    vocab: int | None = None,
    is_constrained: bool = False,
    seed: int | None = None,
    make_dry: MakeDry | None = None,
) -> Parts:
    """Everything that a `GenerationParams` asks for; the caller frees it.

    :param seed: takes the place of that of `params`.
    :param make_dry: makes its DRY sampler, by default a new one.
    :param vocab: address of the `llama_vocab`; DRY, infill and grammars need it.
    :param is_constrained: something else sees to the constraints, of whatever kind.
    :raises InvalidRequest: the grammar does not parse, or a biased token does not exist.
    """
    builder = Builder(
        binding,
        params,
        n_vocab=n_vocab,
        n_ctx=n_ctx,
        vocab=vocab,
        is_constrained=is_constrained,
        seed=seed,
        make_dry=make_dry,
    )
    parts = Parts(builder.biases(banned))
    try:
        builder.fill(parts)
    except BaseException:
        parts.free(binding)
        raise
    return parts


class Builder:
    """Makes the samplers of one request."""

    def __init__(
        self,
        binding: Any,
        params: Any,
        *,
        n_vocab: int,
        n_ctx: int,
        vocab: int | None = None,
        is_constrained: bool = False,
        seed: int | None = None,
        make_dry: MakeDry | None = None,
    ) -> None:
        self.binding = binding
        self.params = params
        self.n_vocab = n_vocab
        self.n_ctx = n_ctx
        self.vocab = vocab
        self.is_constrained = is_constrained
        self.make_dry = make_dry
        self.seed: int = params.seed if seed is None else seed

    def biases(self, banned: Sequence[int]) -> list[tuple[int, float]]:
        """(token, bias) pairs: the request's, then what is never sampled."""
        for token, _ in self.params.logit_bias:
            if token >= self.n_vocab:
                raise InvalidRequest(
                    f"logit_bias: token {token} is not in a vocabulary of {self.n_vocab}",
                    param="logit_bias",
                )
        never = list(banned)
        if self.vocab:
            count = ctypes.c_int(0)
            suppressed = self.binding.llama_vocab_get_suppress_tokens(
                self.vocab, ctypes.byref(count)
            )
            never += suppressed[: count.value]
        return [*self.params.logit_bias, *((token, -math.inf) for token in never)]

    def fill(self, parts: Parts) -> None:
        """Make the samplers, and decide what may be left out before they run."""
        params = self.params
        if "infill" in params.samplers and not params.mirostat:
            self.check_infill()
        if params.grammar and not self.is_constrained:
            parts.grammar = make_grammar(self.binding, self.needed_vocab(), params.grammar)
        order = [name for name in params.samplers if self.is_active(name)]
        if params.mirostat:
            order = ["temperature"] if self.is_active("temperature") else []
        leading = list(itertools.takewhile(lambda name: name in LOOKBACKS, order))
        for name in leading:
            parts.lookbacks.append(self.lookback(name, leads=True))
        rest = order[len(leading) :]
        if self.is_greedy(rest):
            parts.prune = GREEDY
            return
        if not params.mirostat:
            parts.prune, parts.temperature = self.plan(rest)
        parts.chain = self.chain(rest, parts.lookbacks)

    def needed_vocab(self) -> int:
        if not self.vocab:
            raise ValueError("DRY, infill and grammars need the vocabulary")
        return self.vocab

    def check_infill(self) -> None:
        """:raises InvalidRequest: it could end with no token, or with one that a grammar refuses,
        and llama.cpp would abort the process."""
        if self.params.grammar or self.is_constrained:
            raise InvalidRequest("samplers: infill goes with no constraint", param="samplers")
        vocab = self.needed_vocab()
        if self.binding.llama_vocab_eot(vocab) < 0 and self.binding.llama_vocab_eos(vocab) < 0:
            raise InvalidRequest("samplers: infill needs an end-of-text token", param="samplers")

    def last_n(self, name: str) -> int:
        field = "repeat_last_n" if name == "penalties" else "dry_penalty_last_n"
        n: int = getattr(self.params, field)
        return self.n_ctx if n < 0 else min(n, self.n_ctx)

    def is_active(self, name: str) -> bool:
        """Whether llama.cpp would make more than an empty sampler of it; in its precision."""
        p = self.params
        if name == "penalties":
            penalties = (p.repeat_penalty, p.frequency_penalty, p.presence_penalty)
            return self.last_n(name) > 0 and tuple(map(f32, penalties)) != (1, 0, 0)
        if name == "dry":
            return self.last_n(name) > 0 and f32(p.dry_multiplier) != 0 and f32(p.dry_base) >= 1
        return IS_ACTIVE[name](p)

    def is_dynamic(self) -> bool:
        return not self.params.mirostat and f32(self.params.dynatemp_range) > 0

    def is_greedy(self, rest: list[str]) -> bool:
        """Whether the chain `rest` takes the best token, whatever the others are."""
        before = list(itertools.takewhile(lambda name: name in KEEP_BEST, rest))
        after = rest[len(before) :]
        if not after or after[0] != "temperature" or NEEDS_SEVERAL & set(after):
            return False
        return f32(self.params.temperature) <= 0 and not self.is_dynamic()

    def plan(self, rest: list[str]) -> tuple[int, float]:
        """How the first filter of the chain `rest` prunes, and the temperature before it.

        After top_k and min_p llama.cpp has the same candidates whether or not the others were
        there, so that anything may follow. The other filters compute with all candidates.
        """
        temperature = f32(self.params.temperature)
        if rest and rest[0] == "temperature" and temperature > 0 and not self.is_dynamic():
            rest = rest[1:]
        else:
            temperature = 1.0
        if rest and rest[0] == "top_k" and self.params.top_k < self.n_vocab:
            return TOP_K, temperature
        if rest and rest[0] == "min_p":
            return MIN_P, temperature
        return FULL, temperature

    def chain(self, rest: list[str], lookbacks: list[Lookback]) -> Any:
        """llama.cpp's chain of `rest`, with its RNG; notes the lookbacks that are in it."""
        binding, p = self.binding, self.params
        chain = binding.llama_sampler_chain_init(binding.llama_sampler_chain_default_params())
        for name in rest:
            if name in LOOKBACKS:
                lookbacks.append(self.lookback(name, leads=False))
                sampler = lookbacks[-1].sampler
            else:
                sampler = self.filter(name)
            binding.llama_sampler_chain_add(chain, sampler)
        if p.mirostat == 1:
            last = binding.llama_sampler_init_mirostat(
                self.n_vocab, self.seed, p.mirostat_tau, p.mirostat_eta, MIROSTAT_M
            )
        elif p.mirostat == 2:
            last = binding.llama_sampler_init_mirostat_v2(self.seed, p.mirostat_tau, p.mirostat_eta)
        elif "adaptive_p" in p.samplers:
            last = binding.llama_sampler_init_adaptive_p(
                p.adaptive_target, p.adaptive_decay, self.seed
            )
        else:
            last = binding.llama_sampler_init_dist(self.seed)
        binding.llama_sampler_chain_add(chain, last)
        return chain

    def filter(self, name: str) -> Any:
        binding, p = self.binding, self.params
        dynatemp_range = p.dynatemp_range if self.is_dynamic() else 0.0
        make, *args = {
            "top_n_sigma": ("top_n_sigma", p.top_n_sigma),
            "top_k": ("top_k", p.top_k),
            "typ_p": ("typical", p.typical_p, p.min_keep),
            "top_p": ("top_p", p.top_p, p.min_keep),
            "min_p": ("min_p", p.min_p, p.min_keep),
            "xtc": ("xtc", p.xtc_probability, p.xtc_threshold, p.min_keep, self.seed),
            "temperature": ("temp_ext", p.temperature, dynatemp_range, p.dynatemp_exponent),
            "infill": ("infill", self.vocab),
        }[name]
        return getattr(binding, f"llama_sampler_init_{make}")(*args)

    def lookback(self, name: str, *, leads: bool) -> Lookback:
        binding, p, last_n = self.binding, self.params, self.last_n(name)
        if name == "penalties":
            sampler = binding.llama_sampler_init_penalties(
                self.n_vocab, last_n, p.repeat_penalty, p.frequency_penalty, p.presence_penalty
            )
        else:
            make = self.make_dry or functools.partial(new_dry, binding)
            sampler = make(self.needed_vocab(), p, last_n)
        return Lookback(sampler, last_n, leads)


def make_grammar(binding: Any, vocab: int, text: str) -> Any:
    """llama.cpp's sampler of a grammar in GBNF.

    :raises InvalidRequest: llama.cpp refuses the grammar, or could not bear it.
    """
    if _depth(text) > MAX_DEPTH or text.count("::=") > MAX_RULES:
        raise _bad_grammar("it nests too deep, or has too many rules")
    sampler = None
    if "\0" not in text:
        sampler = binding.llama_sampler_init_grammar(vocab, text.encode(), ROOT.encode())
    if sampler:
        return sampler
    if not re.search(rf"^[ \t\r]*{ROOT}\s*::=", text, re.MULTILINE):
        raise _bad_grammar(f"it has no rule {ROOT}")
    raise _bad_grammar("it does not parse, or a rule begins with itself")


def _bad_grammar(reason: str) -> InvalidRequest:
    return InvalidRequest(f"grammar: {reason}", param="grammar")


def _depth(grammar: str) -> int:
    """How deep its parentheses nest."""
    deepest = depth = 0
    for parenthesis in re.findall(r"[()]", OPAQUE.sub("", grammar)):
        depth += 1 if parenthesis == "(" else -1
        deepest = max(deepest, depth)
    return deepest
