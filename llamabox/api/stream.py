"""A running generation, for a thread or for an event loop.

The core's events arrive as (bytes, tokens, finish, probabilities, progress). Here they become
chunks; how a consumer waits for them is all that the two kinds of stream differ in.
"""

from __future__ import annotations

import asyncio
import select
import time
import weakref
from collections.abc import AsyncIterator, Iterator

from .._core.outbox import Outbox
from .._core.request import Request
from ..errors import GenerationError, LlamaboxError, NoTokenLeft
from ..params import GenerationParams
from .constraints import is_constrained
from .formats import Event
from .logprobs import Probs, sampled_tokens
from .results import Chunk, Completion, Counts, FinishReason, Progress, SampledToken, Timings
from .turn import TurnOutput

FINISH_REASONS = (
    None,
    FinishReason.EOG,
    FinishReason.STOP,
    FinishReason.LENGTH,
    FinishReason.CANCELLED,
    FinishReason.DEADLINE,
)
"""By the core's number; those above them are failures."""
NO_TOKEN = len(FINISH_REASONS) + 1
"""The core's number for a sampler that left none; the one below is a failure inside llama.cpp."""
FINISH_LENGTH = FINISH_REASONS.index(FinishReason.LENGTH)

MANY_PROBS = 2048
"""Probabilities that a chunk tells at most, but for those of one token: several milliseconds' work,
together with their JSON."""


class Generation:
    """What both kinds of stream are: the request, and the output that nobody has taken yet.

    A stream that is dropped before its end cancels its request, as does one that has enough.

    :param output: reads it, if it is the turn of a conversation.
    :ivar result: the whole `Completion`, once the generation has ended.
    """

    def __init__(
        self, request: Request, params: GenerationParams, output: TurnOutput | None = None
    ) -> None:
        self.request = request
        self._output = output
        self.result: Completion | None = None
        self._params = params
        self._tells_probs = params.n_probs >= 0
        self._n_told = max(1, MANY_PROBS // (params.n_probs + 1)) if self._tells_probs else 0
        self._probs: Probs = []
        self._logprobs: list[SampledToken] = []
        self._texts: list[str] = []
        self._ready = bytearray()
        self._tokens: list[int] = []
        self._progress: Progress | None = None
        self._finish = 0
        self._t_length = 0  # nanoseconds; when it had its length, which may be no token at all
        self._exhausted = False
        self._waiter: asyncio.Future[None] | None = None  # of an event loop, for the next event
        self._waits_for_end = False  # for the last event
        request.consumer = weakref.ref(self)

    def __del__(self) -> None:
        self.request.cancel()

    def cancel(self) -> None:
        """Stop at the next step; the last chunk says so. For any thread, any number of times."""
        self.request.cancel()

    def feed(
        self,
        text: bytes,
        tokens: list[int],
        finish: int,
        probs: Probs | None = None,
        progress: tuple[int, int] | None = None,
    ) -> None:
        """Take an event of the core."""
        self._ready += text
        self._tokens += tokens
        self._finish = finish
        if finish == FINISH_LENGTH:
            self._t_length = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        if probs is not None:
            self._probs += probs
        if progress is not None:
            n_computed, prefill_ns = progress
            request = self.request
            self._progress = Progress(
                request.n_prompt, request.n_cached, n_computed, prefill_ns / 1e9
            )
        is_news = finish or not self._waits_for_end
        if is_news and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def has_chunk(self) -> bool:
        return bool(self._ready or self._finish or self._progress)

    def take_chunk(self) -> Chunk:
        """All that is ready, as one chunk, or the first tokens of it if their probabilities are
        many.

        :raises GenerationError: llama.cpp failed.
        :raises NoTokenLeft: what was asked for leaves nothing to sample.
        """
        if self._finish >= len(FINISH_REASONS):
            self._exhausted = True
            raise self._failure()
        if self._tells_probs and len(self._tokens) > self._n_told:
            return self._take_tokens()
        text = self._ready.decode("utf-8", "replace")
        chunk = Chunk(
            text,
            len(self._tokens),
            self._finish_reason() if self._finish else None,
            self._take_logprobs(len(self._tokens)) if self._tells_probs else None,
            tuple(self._tokens),
            self._progress,
            None if self._output is None else self._read(self._output, text),
        )
        self._texts.append(text)
        self._ready.clear()
        self._tokens.clear()
        self._progress = None
        if chunk.finish_reason is not None:
            self._exhausted = True
            self.result = self._completion(chunk.finish_reason)
        return chunk

    def _take_tokens(self) -> Chunk:
        """As many tokens as are told at a time; the text comes with the last ones."""
        n = self._n_told
        events = None if self._output is None else ()
        told = tuple(self._tokens[:n])
        chunk = Chunk("", n, None, self._take_logprobs(n), told, self._progress, events)
        del self._tokens[:n]
        self._progress = None
        return chunk

    def _finish_reason(self) -> FinishReason | None:
        """An output that was cancelled here, since no more of it is wanted, is at its end."""
        has_enough = self._output is not None and self._output.is_enough
        reason = FINISH_REASONS[self._finish]
        return FinishReason.EOG if has_enough and reason is not None else reason

    def _read(self, output: TurnOutput, text: str) -> tuple[Event, ...]:
        events = output.feed(text, is_last=bool(self._finish))
        if output.is_enough:
            self.cancel()
        return events

    @property
    def slot(self) -> int:
        """The slot that it got last; -1 before."""
        return self.request.slot

    @property
    def counts(self) -> Counts:
        """How far it is by now."""
        request = self.request
        return Counts(
            n_prompt=request.n_prompt,
            n_cached=request.n_cached,
            n_output=request.n_output,
            n_reasoning=request.n_reasoning,
            n_drafted=request.n_drafted,
            n_draft_accepted=request.n_draft_accepted,
            timings=Timings.of(*request.times, self._t_length),
        )

    def _take_logprobs(self, n_tokens: int) -> tuple[SampledToken, ...]:
        tokens = sampled_tokens(
            self._probs[:n_tokens],
            self.request.vocab,
            post_sampling=self._params.post_sampling_probs,
        )
        del self._probs[:n_tokens]
        self._logprobs += tokens
        return tokens

    def _failure(self) -> LlamaboxError:
        if self._finish == NO_TOKEN and is_constrained(self._params):
            return NoTokenLeft("the constraint leaves no token to go on with, or takes too long")
        if self._finish == NO_TOKEN and self._params.logit_bias:
            return NoTokenLeft("logit_bias: leaves no token to go on with", param="logit_bias")
        return GenerationError("llama.cpp failed on this request, or left no token to sample")

    def _whole(self) -> Completion:
        if self.result is None:
            raise self._failure()
        return self.result

    def _completion(self, finish_reason: FinishReason) -> Completion:
        request = self.request
        return Completion(
            text="".join(self._texts),
            tokens=tuple(request.output_tokens()),
            n_prompt=request.n_prompt,
            n_cached=request.n_cached,
            n_output=request.n_output,
            finish_reason=finish_reason,
            stop_string=self._params.stop[request.i_stop] if request.i_stop >= 0 else None,
            timings=Timings.of(*request.times, self._t_length),
            logprobs=tuple(self._logprobs) if self._tells_probs else None,
            message=self._output.message() if self._output else None,
            truncated=request.is_truncated,
            n_reasoning=request.n_reasoning,
            n_drafted=request.n_drafted,
            n_draft_accepted=request.n_draft_accepted,
            slot=self.slot,
        )


class Orphans:
    """Outboxes whose consumers are gone while a request may still write to them."""

    def __init__(self) -> None:
        self._outboxes: list[Outbox] = []

    def adopt(self, outbox: Outbox) -> None:
        outbox.drain()
        if outbox.n_open:
            self._outboxes.append(outbox)

    def sweep(self) -> None:
        """Drain them all, and let go of those that no request writes to any more."""
        adopted, self._outboxes = self._outboxes, []
        for outbox in adopted:
            outbox.drain()
            if outbox.n_open:
                self._outboxes.append(outbox)


class Stream(Generation, Iterator[Chunk]):
    """A generation that a thread iterates over; `close`, or leaving a `with`, cancels it."""

    def __init__(
        self,
        request: Request,
        params: GenerationParams,
        orphans: Orphans,
        output: TurnOutput | None = None,
    ) -> None:
        super().__init__(request, params, output)
        self._orphans = orphans
        self._poll = select.poll()
        self._poll.register(request.outbox.fd, select.POLLIN)

    def __del__(self) -> None:
        super().__del__()
        if not self._exhausted:
            self._orphans.adopt(self.request.outbox)

    def __next__(self) -> Chunk:
        """Raises as `take_chunk`."""
        if self._exhausted:
            raise StopIteration
        while not self.has_chunk:
            self._poll.poll()
            for _, text, tokens, finish, probs, progress in self.request.outbox.drain():
                self.feed(text, tokens, finish, probs, progress)
        return self.take_chunk()

    def completion(self) -> Completion:
        """Wait for the end and return all of it; a wait that is interrupted cancels.

        :raises GenerationError: llama.cpp failed, or did before.
        :raises NoTokenLeft: what was asked for leaves nothing to sample, or did before.
        """
        try:
            for _ in self:
                pass
        except BaseException:
            self.cancel()
            raise
        return self._whole()

    def close(self) -> None:
        self.cancel()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncStream(Generation, AsyncIterator[Chunk]):
    """A generation that a task iterates over; `aclose`, or leaving an `async with`, cancels it."""

    def __init__(
        self,
        request: Request,
        params: GenerationParams,
        loop: asyncio.AbstractEventLoop,
        output: TurnOutput | None = None,
    ) -> None:
        super().__init__(request, params, output)
        self._loop = loop

    async def __anext__(self) -> Chunk:
        """Raises as `take_chunk`."""
        if self._exhausted:
            raise StopAsyncIteration
        if self._tells_probs and self.has_chunk:
            await asyncio.sleep(0)  # Whoever is slower than the model would hold the loop.
        while not self.has_chunk:
            waiter = self._loop.create_future()
            self.wake(waiter)
            await waiter
        return self.take_chunk()

    def wake(self, waiter: asyncio.Future[None]) -> None:
        """Have the next event resolve `waiter`, which may wait for other streams too.

        :raises RuntimeError: another task waits for this stream already.
        """
        if self._waiter is not None and not self._waiter.done():
            raise RuntimeError("another task waits for this stream already")
        self._waiter = waiter

    async def completion(self) -> Completion:
        """Wait for the end and return all of it; a task that is cancelled meanwhile cancels.

        :raises GenerationError: llama.cpp failed, or did before.
        :raises NoTokenLeft: what was asked for leaves nothing to sample, or did before.
        :raises RuntimeError: another task waits for this stream already, and goes on.
        """
        try:
            if self._output is None and not self._tells_probs:
                await self._end()
            async for _ in self:
                pass
        except (asyncio.CancelledError, GeneratorExit):
            self.cancel()
            raise
        return self._whole()

    async def _end(self) -> None:
        """Wait for the last event, without a chunk for each before it."""
        try:
            while not self._finish:
                waiter = self._loop.create_future()
                self.wake(waiter)
                self._waits_for_end = True
                await waiter
        finally:
            self._waits_for_end = False

    async def aclose(self) -> None:
        self.cancel()

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cancel()


class LoopDelivery:
    """The events of all streams of one event loop: one outbox, one reader, one call per step."""

    def __init__(self, loop: asyncio.AbstractEventLoop, orphans: Orphans) -> None:
        self.outbox = Outbox()
        self._loop = weakref.ref(loop)
        self._orphans = orphans
        self._listening = False

    def __del__(self) -> None:
        self._orphans.adopt(self.outbox)

    def listen(self) -> None:
        """Deliver events from now on, until no request is open."""
        loop = self._loop()
        if loop is not None and not self._listening:
            loop.add_reader(self.outbox.fd, self._deliver)
            self._listening = True

    def _deliver(self) -> None:
        for request, text, tokens, finish, probs, progress in self.outbox.drain():
            stream = request.consumer()
            if stream is not None:
                stream.feed(text, tokens, finish, probs, progress)
        loop = self._loop()
        if loop is not None and self.outbox.n_open == 0:
            loop.remove_reader(self.outbox.fd)
            self._listening = False
