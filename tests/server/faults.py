"""An engine that fails on purpose, for what the real one cannot be made to do at will."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np

from llamabox import EngineParams, GenerationParams
from llamabox.api import Chunk, Completion, FinishReason, Prompt, Timings
from llamabox.server.config import ServerConfig

Script = Sequence["str | float | Exception"]
"""What a stream does: give a text, sleep for seconds, or fail."""

NO_TIME = Timings(queue=0.0, prefill=0.0, first_token=0.0, decode=0.0, total=0.0)


class FaultyEngine:
    """Plays one script for every request.

    :param refusal: what ``submit`` raises, if anything.
    """

    def __init__(self, script: Script = (), refusal: Exception | None = None) -> None:
        self.model = SimpleNamespace(name="faulty", n_vocab=512, close=lambda: None)
        self.params = EngineParams()
        self.n_ctx = 4096
        self.layout = SimpleNamespace(kv_layout="unified", flash_attention="off")
        self.tokens_per_second = 0.0
        self.script = script
        self.refusal = refusal
        self.streams: list[FaultyStream] = []

    @classmethod
    def opener(
        cls, script: Script = (), refusal: Exception | None = None
    ) -> Callable[[ServerConfig, Callable[[float], bool]], FaultyEngine]:
        """An ``open_engine`` for a service."""
        return lambda config, progress: cls(script, refusal)

    async def prepare(self, prompt: str | Sequence[int]) -> Prompt:
        return Prompt(np.zeros(3, np.int32), "text")

    async def constrain(self, params: GenerationParams, prompt: Prompt | None = None) -> None:
        pass

    def submit(self, prompt: Prompt, params: GenerationParams) -> FaultyStream:
        if self.refusal is not None:
            raise self.refusal
        stream = FaultyStream(self.script)
        self.streams.append(stream)
        return stream

    def close(self) -> None:
        pass


class FaultyStream:
    """An ``AsyncStream`` that plays a script and then ends with an end-of-generation token."""

    def __init__(self, script: Script) -> None:
        self._script = iter(script)
        self._text = ""
        self.n_output = 0
        self.slot = 0
        self._is_cancelled = False
        self.result: Completion | None = None

    @property
    def is_cancelled(self) -> bool:
        """Whether it was cancelled before its end."""
        return self._is_cancelled and self.result is None

    def cancel(self) -> None:
        self._is_cancelled = True

    def __aiter__(self) -> FaultyStream:
        return self

    async def __anext__(self) -> Chunk:
        if self.result is not None:
            raise StopAsyncIteration
        for action in self._script:
            if isinstance(action, Exception):
                raise action
            if isinstance(action, str):
                self._text += action
                self.n_output += 1
                return Chunk(action, 1, None)
            await asyncio.sleep(action)
        self.result = Completion(
            text=self._text,
            tokens=(),
            n_prompt=3,
            n_cached=0,
            n_output=self.n_output,
            finish_reason=FinishReason.EOG,
            stop_string=None,
            timings=NO_TIME,
        )
        return Chunk("", 0, FinishReason.EOG)

    async def completion(self) -> Completion:
        async for _ in self:
            pass
        assert self.result is not None
        return self.result
