"""The peer of the engine: the plainest loop over `llama_decode` that still generates text.

What it includes: one `llama_batch` with arrays that are filled in place and never reallocated; the
prompts of all sequences prefilled in as few forwards as `n_batch` allows; after that, one
`llama_decode` per step with one row per sequence, `llama_sampler_sample` with llama.cpp's own
greedy sampler for each row, and nothing else. What it leaves out: admission, detokenizing, stop
strings, cancellation, delivery, other threads.

Calls go through ctypes with the loop's names bound to locals: less than a microsecond for each.
"""

from __future__ import annotations

import ctypes
import time
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from llamabox import Model

Tokens = npt.NDArray[np.int32]

FLASH_ATTENTION = {
    None: llama_cpp.LLAMA_FLASH_ATTN_TYPE_AUTO,
    False: llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED,
    True: llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED,
}


class RawLoop:
    """A context of its own on a shared model.

    :param n_ctx: cells of the pool; of all sequences together if it is partitioned.
    :param n_batch: rows of a forward at most.
    :param kv_unified: one pool for all sequences, or a part of it for each sequence.
    :param flash_attention: None for llama.cpp's choice.
    """

    def __init__(
        self,
        model: Model,
        *,
        n_sequences: int,
        n_ctx: int,
        n_batch: int,
        n_threads: int,
        kv_unified: bool = True,
        flash_attention: bool | None = None,
    ) -> None:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = n_ctx
        params.n_batch = n_batch
        params.n_ubatch = min(512, n_batch)
        params.n_seq_max = n_sequences
        params.n_outputs_max = n_sequences
        params.n_threads = params.n_threads_batch = n_threads
        params.kv_unified = kv_unified
        params.flash_attn_type = FLASH_ATTENTION[flash_attention]
        params.no_perf = True
        self._context = llama_cpp.llama_init_from_model(model.address, params)
        if not self._context:
            raise RuntimeError(f"llama.cpp makes no context of {n_ctx} cells")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._sampler = _greedy_sampler(model)
        self._rows = _Rows(n_batch)
        self._n_batch = n_batch
        self._n_past: list[int] = []
        self._first: list[int] = []

    def generate(self, prompts: list[Tokens], n_predict: int) -> tuple[list[list[int]], float]:
        """Generate `n_predict` tokens for each prompt, end-of-generation tokens never among them.

        :returns: the tokens of each sequence, and the seconds from the first prompt's prefill to
            the last token.
        """
        prefill_seconds = self.prefill(prompts)
        outputs, decode_seconds = self.decode(n_predict)
        return outputs, prefill_seconds + decode_seconds

    def prefill(self, prompts: list[Tokens]) -> float:
        """Compute all prompts and their first output tokens; returns the seconds it took."""
        llama_cpp.llama_memory_clear(self._memory, True)
        llama_cpp.llama_synchronize(self._context)
        started = time.perf_counter()
        self._n_past = [len(prompt) for prompt in prompts]
        self._first = [0] * len(prompts)
        rows, capacity = self._rows, self._n_batch
        ends: list[tuple[int, int]] = []
        i = 0
        for seq, prompt in enumerate(prompts):
            for pos, token in enumerate(prompt.tolist()):
                is_last = pos == len(prompt) - 1
                rows.set(i, token, pos, seq, is_last)
                if is_last:
                    ends.append((i, seq))
                i += 1
                if i == capacity or (is_last and seq == len(prompts) - 1):
                    self._forward(i, ends)
                    i = 0
                    ends.clear()
        return time.perf_counter() - started

    def decode(self, n_predict: int) -> tuple[list[list[int]], float]:
        """Continue all prompts to `n_predict` tokens, again if they were continued before.

        :returns: the tokens of each sequence, and the seconds from the first token of each, which
            the prefill has given, to the last.
        """
        for seq, n_past in enumerate(self._n_past):
            llama_cpp.llama_memory_seq_rm(self._memory, seq, n_past, -1)
        started = time.perf_counter()
        columns = self._loop(n_predict)
        seconds = time.perf_counter() - started
        return [list(tokens) for tokens in zip(*columns, strict=True)], seconds

    def close(self) -> None:
        llama_cpp.llama_sampler_free(self._sampler)
        llama_cpp.llama_free(self._context)

    def _loop(self, n_predict: int) -> list[list[int]]:
        """The loop that is timed; returns a list of the sequences' tokens for each step."""
        rows = self._rows
        n = len(self._n_past)
        decode, choose = llama_cpp.llama_decode, llama_cpp.llama_sampler_sample
        context, sampler, batch = self._context, self._sampler, rows.batch
        token, pos = rows.token, rows.pos
        tokens = self._first
        columns = [tokens]
        for i in range(n):
            rows.set(i, tokens[i], self._n_past[i], i, True)
        batch.n_tokens = n
        following = range(n)
        for step in range(1, n_predict):
            if decode(context, batch) != 0:
                raise RuntimeError(f"llama_decode failed at step {step}")
            tokens = [choose(sampler, context, i) for i in following]
            columns.append(tokens)
            for i in following:
                token[i] = tokens[i]
                pos[i] += 1
        llama_cpp.llama_synchronize(context)
        return columns

    def _forward(self, n_tokens: int, ends: list[tuple[int, int]]) -> None:
        """Compute rows of prompts, and the first tokens of those that end, as (row, sequence)."""
        self._rows.batch.n_tokens = n_tokens
        if llama_cpp.llama_decode(self._context, self._rows.batch) != 0:
            raise RuntimeError("llama_decode failed on the prompts")
        for row, seq in ends:
            self._first[seq] = llama_cpp.llama_sampler_sample(self._sampler, self._context, row)
        llama_cpp.llama_synchronize(self._context)


class _Rows:
    """A `llama_batch` and the arrays it points to."""

    def __init__(self, capacity: int) -> None:
        self.token = (ctypes.c_int32 * capacity)()
        self.pos = (ctypes.c_int32 * capacity)()
        self._n_seq_id = (ctypes.c_int32 * capacity)(*[1] * capacity)
        self._seq = (ctypes.c_int32 * capacity)()
        self._seq_id = (ctypes.POINTER(ctypes.c_int32) * capacity)()
        self._output = (ctypes.c_int8 * capacity)()
        for i in range(capacity):
            address = ctypes.addressof(self._seq) + 4 * i
            self._seq_id[i] = ctypes.cast(address, ctypes.POINTER(ctypes.c_int32))
        self.batch = llama_cpp.llama_batch(
            n_tokens=0,
            token=self.token,
            embd=None,
            pos=self.pos,
            n_seq_id=self._n_seq_id,
            seq_id=self._seq_id,
            logits=self._output,
        )

    def set(self, i: int, token: int, pos: int, seq: int, output: bool) -> None:
        self.token[i] = token
        self.pos[i] = pos
        self._seq[i] = seq
        self._output[i] = output


def _greedy_sampler(model: Model) -> Any:
    """llama.cpp's greedy sampler behind a bias that forbids the end of the generation."""
    banned = model.vocab.end_of_generation
    biases = (llama_cpp.llama_logit_bias * max(len(banned), 1))()
    for i, token in enumerate(banned):
        biases[i].token = token
        biases[i].bias = float("-inf")
    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    bias = llama_cpp.llama_sampler_init_logit_bias(model.n_vocab, len(banned), biases)
    llama_cpp.llama_sampler_chain_add(chain, bias)
    llama_cpp.llama_sampler_chain_add(chain, llama_cpp.llama_sampler_init_greedy())
    return chain
