"""llama.cpp's own samplers over the full vocabulary, as the sampler's judge."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from llamabox.params import GenerationParams

Logits = npt.NDArray[np.float32]
CANDIDATE = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])


class PlainChain:
    """Penalties, top_k, top_p, min_p, temperature and RNG (greedy: penalties alone).

    :param n_ctx: what `repeat_last_n=-1` looks back at.
    :param banned: tokens whose logit is made -inf.
    """

    def __init__(
        self,
        n_vocab: int,
        n_ctx: int,
        params: GenerationParams,
        banned: Sequence[int] = (),
        history: Sequence[int] = (),
    ) -> None:
        last_n = n_ctx if params.repeat_last_n < 0 else params.repeat_last_n
        self._banned = list(banned)
        self._is_greedy = params.temperature <= 0
        self._chain = llama_cpp.llama_sampler_chain_init(
            llama_cpp.llama_sampler_chain_default_params()
        )
        self._add(
            llama_cpp.llama_sampler_init_penalties(
                n_vocab,
                last_n,
                params.repeat_penalty,
                params.frequency_penalty,
                params.presence_penalty,
            )
        )
        if not self._is_greedy:
            self._add(llama_cpp.llama_sampler_init_top_k(params.top_k))
            self._add(llama_cpp.llama_sampler_init_top_p(params.top_p, 0))
            self._add(llama_cpp.llama_sampler_init_min_p(params.min_p, 0))
            self._add(llama_cpp.llama_sampler_init_temp(params.temperature))
            self._add(llama_cpp.llama_sampler_init_dist(params.seed))
        for token in history:
            llama_cpp.llama_sampler_accept(self._chain, token)

    def sample(self, logits: Logits) -> int:
        """The token, accepted; greedy takes the lowest id of the best."""
        candidates = np.zeros(len(logits), CANDIDATE)
        candidates["id"] = np.arange(len(logits))
        candidates["logit"] = logits
        candidates["logit"][self._banned] = -np.inf
        array = llama_cpp.llama_token_data_array(
            data=candidates.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token_data)),
            size=len(candidates),
            selected=-1,
            sorted=False,
        )
        llama_cpp.llama_sampler_apply(self._chain, ctypes.byref(array))
        selected = int(np.argmax(candidates["logit"])) if self._is_greedy else array.selected
        token = int(candidates["id"][selected])
        llama_cpp.llama_sampler_accept(self._chain, token)
        return token

    def close(self) -> None:
        llama_cpp.llama_sampler_free(self._chain)

    def _add(self, sampler: Any) -> None:
        llama_cpp.llama_sampler_chain_add(self._chain, sampler)
