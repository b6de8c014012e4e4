"""llama.cpp contexts: made, warmed up and freed here; used by the core."""

from __future__ import annotations

import ctypes
from typing import Any

import llama_cpp

from .._core.backend import Backend
from .._core.backend_chain import largest_chain
from .._core.context import Context
from ..errors import ModelLoadError
from ..params import FLASH_ATTENTION, EngineParams
from .library import LIBRARY, captured_errors
from .model import Model
from .system import default_threads


class OwnedContext:
    """A `llama_context` and the core's view of it.

    With backend sampling it is made for the largest chain of samplers on every sequence: what
    does not fit the device is known now, where llama.cpp still has an error for it.

    :param model: kept alive.
    :ivar backend: where llama.cpp samples beside the model.
    :raises ModelLoadError: llama.cpp cannot make it, or it cannot generate.
    """

    def __init__(self, model: Model, params: EngineParams) -> None:
        self.address = 0
        self._chains: list[Any] = []
        wanted = params.backend_sampling
        with_chains = wanted == "on" or (wanted == "auto" and model.uses_gpu)
        with captured_errors() as errors:
            if with_chains:
                self._make(model, params, with_chains=True)
            if not self.address and (not with_chains or wanted == "auto"):
                self._make(model, params, with_chains=False)
        if not self.address:
            reason = "; ".join(errors) or "llama.cpp gives no reason"
            raise ModelLoadError(f"{model.path}: no context of {params.n_ctx} cells: {reason}")
        if not llama_cpp.llama_get_memory(self.address):
            self.close()
            raise ModelLoadError(f"{model.path}: the model does not generate text")
        self.core = Context(LIBRARY, self.address, owner=model)
        has_chains = bool(self._chains)
        self.backend = Backend(self.core, has_chains, is_set=has_chains)

    def warm_up(self) -> None:
        """Run one forward and forget it, so that no request pays for first-time work."""
        token = ctypes.c_int32(0)
        batch = llama_cpp.llama_batch_get_one(ctypes.pointer(token), 1)
        with captured_errors():
            llama_cpp.llama_set_warmup(self.address, True)
            llama_cpp.llama_decode(self.address, batch)
            llama_cpp.llama_set_warmup(self.address, False)
            llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.address), True)
            llama_cpp.llama_synchronize(self.address)

    def close(self) -> None:
        if self.address:
            with captured_errors():
                llama_cpp.llama_free(self.address)
        self.address = 0
        self._free_chains()

    def _make(self, model: Model, params: EngineParams, *, with_chains: bool) -> None:
        c_params = _c_params(params)
        if with_chains:
            n = c_params.n_seq_max
            self._chains = [largest_chain(llama_cpp, model.n_vocab) for _ in range(n)]
            configs = (llama_cpp.llama_sampler_seq_config * n)()
            for i, chain in enumerate(self._chains):
                configs[i].seq_id = i
                configs[i].sampler = ctypes.cast(chain, ctypes.c_void_p)
            c_params.samplers, c_params.n_samplers = configs, n
        self.address = llama_cpp.llama_init_from_model(model.address, c_params)
        if not self.address:
            self._free_chains()

    def _free_chains(self) -> None:
        while self._chains:
            llama_cpp.llama_sampler_free(self._chains.pop())


def _c_params(params: EngineParams) -> llama_cpp.llama_context_params:
    n_threads = params.n_threads or default_threads()
    c_params = llama_cpp.llama_context_default_params()
    c_params.n_ctx = params.n_ctx
    c_params.n_batch = max(params.n_batch, params.n_parallel)
    c_params.n_ubatch = min(params.n_ubatch, c_params.n_batch)
    c_params.n_seq_max = params.n_parallel
    c_params.n_outputs_max = c_params.n_seq_max
    c_params.n_threads = n_threads
    c_params.n_threads_batch = params.n_threads_batch or n_threads
    c_params.kv_unified = True
    c_params.flash_attn_type = FLASH_ATTENTION.index(params.flash_attention) - 1
    c_params.no_perf = True
    return c_params
