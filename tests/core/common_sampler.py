"""llama.cpp's `common_sampler` (common/sampling.cpp), rebuilt from the samplers of its library.

What it does, it does over the whole vocabulary: the samplers of the core must choose the same.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from llamabox import GenerationParams

Logits = npt.NDArray[np.float32]
CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


@contextmanager
def loaded_vocabulary(path: Path) -> Iterator[int]:
    """The address of the vocabulary in a GGUF file."""
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    assert model, path
    yield llama_cpp.llama_model_get_vocab(model)
    llama_cpp.llama_model_free(model)


class Candidates:
    """A `llama_token_data_array` over all of `logits`."""

    def __init__(self, logits: Logits) -> None:
        self.data = np.zeros(len(logits), CANDIDATE)
        self.data["id"] = np.arange(len(logits))
        self.data["logit"] = logits
        pointer = ctypes.POINTER(llama_cpp.llama_token_data)
        self.array = llama_cpp.llama_token_data_array(
            data=self.data.ctypes.data_as(pointer), size=len(logits), selected=-1, sorted=False
        )

    def apply(self, sampler: Any) -> None:
        llama_cpp.llama_sampler_apply(sampler, ctypes.byref(self.array))

    @property
    def selected(self) -> int:
        return int(self.array.data[self.array.selected].id)

    def probabilities(self) -> dict[int, float]:
        found = (self.array.data[i] for i in range(self.array.size))
        return {c.id: c.p for c in found if c.p > 0}


class CommonSampler:
    """`common_sampler_init`, `_sample` and `_accept`, with every look-back of -1 as `n_ctx`."""

    def __init__(
        self, params: GenerationParams, *, n_vocab: int, n_ctx: int, vocab: int | None = None
    ) -> None:
        self.params, self.n_vocab, self.n_ctx, self.vocab = params, n_vocab, n_ctx, vocab
        self.grammar = None
        if params.grammar:
            self.grammar = llama_cpp.llama_sampler_init_grammar(
                vocab, params.grammar.encode(), b"root"
            )
        self.chain = llama_cpp.llama_sampler_chain_init(
            llama_cpp.llama_sampler_chain_default_params()
        )
        for sampler in self.samplers():
            llama_cpp.llama_sampler_chain_add(self.chain, sampler)

    def close(self) -> None:
        llama_cpp.llama_sampler_free(self.chain)
        if self.grammar:
            llama_cpp.llama_sampler_free(self.grammar)

    def samplers(self) -> Iterator[Any]:
        p = self.params
        biases = (llama_cpp.llama_logit_bias * len(p.logit_bias))(*p.logit_bias)
        yield llama_cpp.llama_sampler_init_logit_bias(self.n_vocab, len(biases), biases)
        if p.mirostat:
            yield llama_cpp.llama_sampler_init_temp(p.temperature)
            if p.mirostat == 1:
                yield llama_cpp.llama_sampler_init_mirostat(
                    self.n_vocab, p.seed, p.mirostat_tau, p.mirostat_eta, 100
                )
            else:
                yield llama_cpp.llama_sampler_init_mirostat_v2(
                    p.seed, p.mirostat_tau, p.mirostat_eta
                )
            return
        for name in p.samplers:
            if name != "adaptive_p":
                yield getattr(self, name)()
        if "adaptive_p" in p.samplers:
            yield llama_cpp.llama_sampler_init_adaptive_p(
                p.adaptive_target, p.adaptive_decay, p.seed
            )
        else:
            yield llama_cpp.llama_sampler_init_dist(p.seed)

    def last_n(self, n: int) -> int:
        return self.n_ctx if n < 0 else n

    def penalties(self) -> Any:
        p = self.params
        return llama_cpp.llama_sampler_init_penalties(
            self.n_vocab,
            self.last_n(p.repeat_last_n),
            p.repeat_penalty,
            p.frequency_penalty,
            p.presence_penalty,
        )

    def dry(self) -> Any:
        p = self.params
        breakers = [breaker.encode() for breaker in p.dry_sequence_breakers]
        return llama_cpp.llama_sampler_init_dry(
            self.vocab,
            p.dry_multiplier,
            p.dry_base,
            p.dry_allowed_length,
            self.last_n(p.dry_penalty_last_n),
            (ctypes.c_char_p * len(breakers))(*breakers),
            len(breakers),
        )

    def top_n_sigma(self) -> Any:
        return llama_cpp.llama_sampler_init_top_n_sigma(self.params.top_n_sigma)

    def top_k(self) -> Any:
        return llama_cpp.llama_sampler_init_top_k(self.params.top_k)

    def typ_p(self) -> Any:
        return llama_cpp.llama_sampler_init_typical(self.params.typical_p, self.params.min_keep)

    def top_p(self) -> Any:
        return llama_cpp.llama_sampler_init_top_p(self.params.top_p, self.params.min_keep)

    def min_p(self) -> Any:
        return llama_cpp.llama_sampler_init_min_p(self.params.min_p, self.params.min_keep)

    def xtc(self) -> Any:
        p = self.params
        return llama_cpp.llama_sampler_init_xtc(
            p.xtc_probability, p.xtc_threshold, p.min_keep, p.seed
        )

    def temperature(self) -> Any:
        p = self.params
        return llama_cpp.llama_sampler_init_temp_ext(
            p.temperature, p.dynatemp_range, p.dynatemp_exponent
        )

    def infill(self) -> Any:
        return llama_cpp.llama_sampler_init_infill(self.vocab)

    def sample(self, logits: Logits) -> Candidates:
        """`common_sampler_sample` without grammar_first."""
        candidates = Candidates(logits)
        candidates.apply(self.chain)
        if not self.grammar:
            return candidates
        alone = Candidates(np.ones(1, np.float32))
        alone.data["id"] = candidates.selected
        alone.apply(self.grammar)
        if alone.data["logit"][0] > -np.inf:
            return candidates
        candidates = Candidates(logits)
        candidates.apply(self.grammar)
        candidates.apply(self.chain)
        return candidates

    def accept(self, token: int, *, is_generated: bool = True) -> None:
        if self.grammar and is_generated:
            llama_cpp.llama_sampler_accept(self.grammar, token)
        llama_cpp.llama_sampler_accept(self.chain, token)
