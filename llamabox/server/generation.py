"""The one way from a prepared prompt to an HTTP reply, whatever the dialect."""

from __future__ import annotations

import orjson
from sanic import HTTPResponse

from ..api import AsyncStream, Completion, Engine, FinishReason, Prompt
from ..errors import EngineClosed, GenerationError, InvalidRequest
from ..params import GenerationParams
from .errors import CLIENT_CLOSED_REQUEST, ErrorReply
from .replies import Reply
from .schema import GenerationRequest
from .sse import EventStream, event
from .trace import AnyRequest, Trace, trace_of

__all__ = ["generate"]

PRIORITY_HEADER = "X-Request-Priority"


async def generate(
    request: AnyRequest, engine: Engine, prompt: Prompt, asked: GenerationRequest, reply: Reply
) -> HTTPResponse | None:
    """Run ``prompt`` and answer ``request``; whatever ends this coroutine ends the generation.

    :returns: the whole reply, or None after a stream.
    :raises LlamaboxError: nothing was sent yet and the request cannot be served.
    """
    trace = trace_of(request)
    trace.n_prompt = prompt.n_tokens
    output = engine.submit(prompt, _prioritized(request, asked.params))
    try:
        if asked.stream:
            await _stream(request, output, reply)
            return None
        completion = _finished(await output.completion())
        trace.n_output = completion.n_output
        body = orjson.dumps(reply.whole(completion))
        return HTTPResponse(body, content_type="application/json")
    finally:
        output.cancel()


def _prioritized(request: AnyRequest, params: GenerationParams) -> GenerationParams:
    """The parameters with the priority that the ``X-Request-Priority`` header asks for."""
    text = request.headers.get(PRIORITY_HEADER)
    if text is None:
        return params
    try:
        priority = int(text)
    except ValueError:
        raise InvalidRequest(f"{PRIORITY_HEADER}: not an integer", param=PRIORITY_HEADER) from None
    return params.replace(priority=priority)


async def _stream(request: AnyRequest, output: AsyncStream, reply: Reply) -> None:
    trace = trace_of(request)
    trace.is_streamed = True
    events = EventStream(request)
    status = CLIENT_CLOSED_REQUEST
    try:
        await _send_all(events, output, reply, trace)
        status = 200
    except Exception as error:
        if not events.is_open:
            trace.is_streamed = False
            raise
        failure = ErrorReply.of(error, request)
        status = failure.status
        await events.close(event(failure.body()))
    finally:
        events.stop()
        if trace.is_streamed:
            trace.log(request, status)


async def _send_all(events: EventStream, output: AsyncStream, reply: Reply, trace: Trace) -> None:
    """Send every chunk as it comes; the first one leaves with the head, the last with the tail."""
    frames = reply.head()
    async for chunk in output:
        trace.n_output += chunk.n_tokens
        frames += reply.part(chunk)
        if frames and chunk.finish_reason is None:
            await events.send(frames)
            frames = b""
    await events.close(frames + reply.tail(_finished(output.result)))


def _finished(completion: Completion | None) -> Completion:
    """The completion, if it is one that a client may take for complete."""
    if completion is None:
        raise GenerationError("the generation ended without a result")
    if completion.finish_reason is FinishReason.CANCELLED:
        raise EngineClosed("The server is shutting down")
    return completion
