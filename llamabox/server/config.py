"""What a server is started with: one frozen value, built by the command line or by a program."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest
from ..params import MOVABLE, EngineParams, GenerationParams, ModelParams, ReasoningParams
from ..sources import HubModel, ModelSource

__all__ = ["ServerConfig"]

AUTOMATIC = -1
MAX_BODY_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Settings of one server.

    :param model: GGUF file; None serves the packaged model.
    :param hub_model: the model on the hub or at a URL, instead of `model`.
    :param hub_draft_model: the draft model on the hub.
    :param alias: name of the model in replies; None takes the model's own.
    :param host: address to listen on, or a path that ends with ``.sock`` for a UNIX socket.
    :param port: TCP port; 0 lets the system choose.
    :param timeout: seconds that a connection may stay silent while a request is read or
        answered; 0 has no limit.
    :param n_http_threads: threads that parse, render and tokenize; -1 for one per core, 8 at most.
    :param conn_idle: seconds that a new connection may wait with its first request.
    :param conn_keepalive: seconds that a connection is kept for another request.
    :param api_keys: accepted keys; without any, nobody is asked for one.
    :param metrics: serve ``GET /metrics``.
    :param tokens_per_second_per_key: the requests of one API key, or without keys of one tenant,
        share one limit of tokens per second.
    :param chat_template: Jinja source that replaces the model's template.
    :param chat_template_kwargs: variables for it, which those of a request replace.
    :param prefill_assistant: a last message that is the assistant's is gone on with.
    :param max_body: bytes of the largest request body.
    :param rpc_servers: ``host:port`` of servers whose devices are used as those here.
    :param numa: how threads are placed by NUMA nodes: "distribute", "isolate", "numactl"; None
        leaves that to the system.
    :param model_params: how the file is loaded.
    :param draft_model: GGUF file of a model that drafts tokens; None for none.
    :param draft_model_params: how that file is loaded.
    :param engine_params: size of the engine.
    :param defaults: what a request that names no sampling setting gets.
    :param reasoning: what a chat that says nothing of reasoning gets.
    :raises InvalidRequest: a value is out of range.
    """

    model: Path | None = None
    hub_model: ModelSource | None = None
    hub_draft_model: HubModel | None = None
    alias: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    timeout: int = 600
    n_http_threads: int = AUTOMATIC
    conn_idle: int = 60
    conn_keepalive: int = 15
    api_keys: tuple[str, ...] = ()
    metrics: bool = False
    tokens_per_second_per_key: bool = False
    chat_template: str | None = None
    chat_template_kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    prefill_assistant: bool = True
    max_body: int = MAX_BODY_BYTES
    rpc_servers: tuple[str, ...] = ()
    numa: str | None = None
    model_params: ModelParams = dataclasses.field(default_factory=ModelParams)
    draft_model: Path | None = None
    draft_model_params: ModelParams = dataclasses.field(default_factory=ModelParams)
    engine_params: EngineParams = dataclasses.field(default_factory=EngineParams)
    defaults: GenerationParams = dataclasses.field(default_factory=GenerationParams)
    reasoning: ReasoningParams = dataclasses.field(default_factory=ReasoningParams)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InvalidRequest(f"port: {self.port} is not within 0 to 65535", param="port")
        if self.timeout < 0:
            raise InvalidRequest(f"timeout: {self.timeout} is not 0 or more", param="timeout")
        if self.n_http_threads < 1 and self.n_http_threads != AUTOMATIC:
            message = f"n_http_threads: {self.n_http_threads} is neither -1 nor 1 or more"
            raise InvalidRequest(message, param="n_http_threads")
        for name in ("conn_idle", "conn_keepalive"):
            if getattr(self, name) < 1:
                message = f"{name}: {getattr(self, name)} is not 1 or more"
                raise InvalidRequest(message, param=name)
        if self.tokens_per_second_per_key and not self.engine_params.tokens_per_second:
            message = "tokens_per_second_per_key: needs tokens_per_second"
            raise InvalidRequest(message, param="tokens_per_second_per_key")

        self._check_reuse()

    def _check_reuse(self) -> None:
        keys = self.engine_params.cache_type_k
        if self.defaults.n_cache_reuse and keys not in MOVABLE:
            message = f"cache_type_k: {keys} keys cannot be moved, as n_cache_reuse has to"
            raise InvalidRequest(message, param="cache_type_k")

    @property
    def unix_socket(self) -> Path | None:
        """Where the UNIX socket lies, if the host names one."""
        return Path(self.host) if self.host.endswith(".sock") else None

    @property
    def executor_threads(self) -> int:
        """``n_http_threads`` with -1 resolved."""
        automatic = min(8, max(2, os.cpu_count() or 1))
        return automatic if self.n_http_threads == AUTOMATIC else self.n_http_threads
