"""What a memory layout costs on this machine with this model: measured on small contexts."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence

import llama_cpp

from ..errors import ModelLoadError
from ..params import EngineParams
from .context import Layout, new_context
from .model import Model

N_PROBE = 32
"""Rows that tell how slow the model is."""
N_CHUNK = 64
"""Rows of a prompt at a time: about what is computed beside others' tokens."""
ROUNDS = 3
N_SPARE = 256
SESSION_CHUNKS = 2
SESSION_STEPS = 64
"""What a session is taken to be: so many chunks of prompt, then so many output tokens."""


class Trial:
    """A context in which a few sessions hold some tokens each; to be closed.

    :param n_fill: so many at most.
    :raises ModelLoadError: llama.cpp makes no such context, or fails on it.
    """

    def __init__(
        self, model: Model, params: EngineParams, layout: Layout, n_sequences: int, n_fill: int
    ) -> None:
        self._n_sequences = n_sequences
        self._batch = llama_cpp.llama_batch_init(n_fill + N_SPARE, 0, 1)
        self._n_past = [0] * n_sequences
        self._step_seconds: list[float] = []
        self._chunk_seconds: list[float] = []
        n_ctx = (n_fill + N_SPARE) * (1 if layout.partitioned else n_sequences)
        small = params.replace(n_ctx=n_ctx, n_parallel=n_sequences, n_batch=n_fill + N_SPARE)
        self._context = new_context(model, small, layout)
        if not self._context or not llama_cpp.llama_get_memory(self._context):
            self.close()
            raise ModelLoadError(f"{model.path}: no context to try {layout.kv_layout} cells in")

    def row_seconds(self) -> float:
        """What a row of a prompt takes, about."""
        self._forward([0] * N_PROBE)
        return self._forward([0] * N_PROBE) / N_PROBE

    def token_bytes(self) -> int:
        """What a token adds to the state of a sequence."""
        sizes = []
        for _ in range(2):
            self._forward([0])
            sizes.append(llama_cpp.llama_state_seq_get_size(self._context, 0))
        growth: int = sizes[1] - sizes[0]
        return growth

    def fill(self, n_fill: int) -> None:
        """Compute the tokens of one session, and copy them to the others; forget what was
        measured."""
        self._forward([0] * (n_fill - self._n_past[0]))
        size = llama_cpp.llama_state_seq_get_size(self._context, 0)
        state = (ctypes.c_uint8 * size)()
        llama_cpp.llama_state_seq_get_data(self._context, state, size, 0)
        for sequence in range(1, self._n_sequences):
            if llama_cpp.llama_state_seq_set_data(self._context, state, size, sequence) != size:
                raise ModelLoadError("llama.cpp does not copy the state of a sequence")
            self._n_past[sequence] = n_fill
        self._step_seconds.clear()
        self._chunk_seconds.clear()

    def measure(self) -> None:
        """One step in which every session decodes, and one chunk of a prompt."""
        self._step_seconds.append(self._forward(range(self._n_sequences), outputs=True))
        self._chunk_seconds.append(self._forward([0] * N_CHUNK))

    @property
    def session_seconds(self) -> float:
        """What the sessions would take together, by the best of what was measured."""
        prompts = SESSION_CHUNKS * self._n_sequences * min(self._chunk_seconds)
        return prompts + SESSION_STEPS * min(self._step_seconds)

    def close(self) -> None:
        llama_cpp.llama_batch_free(self._batch)
        if self._context:
            llama_cpp.llama_free(self._context)

    def _forward(self, sequences: Sequence[int], *, outputs: bool = False) -> float:
        """Compute a row for each entry, in its sequence; returns the seconds.

        :param outputs: compute the logits of all rows, not of the last one alone.
        """
        batch = self._batch
        for i, sequence in enumerate(sequences):
            batch.token[i] = 0
            batch.pos[i] = self._n_past[sequence]
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence
            batch.logits[i] = outputs or i == len(sequences) - 1
            self._n_past[sequence] += 1
        batch.n_tokens = len(sequences)
        started = time.perf_counter()
        if llama_cpp.llama_decode(self._context, batch) != 0:
            raise ModelLoadError("llama.cpp fails on a trial of the memory's layout")
        llama_cpp.llama_synchronize(self._context)
        return time.perf_counter() - started
