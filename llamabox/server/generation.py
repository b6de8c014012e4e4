"""The one way from a prepared prompt to an HTTP reply, whatever the dialect."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import orjson
from sanic import HTTPResponse

from ..api import (
    AsyncStream,
    Completion,
    Engine,
    FinishReason,
    Prompt,
    await_all,
    best,
    interleaved,
    start_one,
)
from ..errors import EngineClosed, GenerationError, InvalidRequest
from ..params import ChoiceParams, GenerationParams
from .errors import CLIENT_CLOSED_REQUEST, ErrorReply
from .rate_limit import rate_limited
from .replies import Reply
from .reply_fields import selected
from .schema import GenerationRequest
from .schema_constraints import named_as_asked
from .schema_output import named_in_body
from .sse import EventStream, event
from .trace import AnyRequest, Trace, trace_of

__all__ = ["check_outputs", "generate"]

PRIORITY_HEADER = "X-Request-Priority"
MAX_OUTPUTS = 1024
"""Outputs of all prompts of a request."""
LARGE_REPLY = 10_000
"""Log probabilities and biases above which a reply is rendered off the event loop."""
_T = TypeVar("_T")


def check_outputs(engine: Engine, n_prompts: int, choices: ChoiceParams) -> None:
    """:raises InvalidRequest: so many prompts have more outputs than may be."""
    n, n_queue = n_prompts * choices.n_generated, engine.params.n_queue
    n_most = min(MAX_OUTPUTS, engine.params.n_parallel + n_queue) if n_queue else MAX_OUTPUTS
    if n_prompts > 1 and n > n_most:
        reason = f"{n} outputs of all prompts are more than {n_most}"
        raise InvalidRequest(f"prompt: {reason}", param="prompt")


async def generate(
    request: AnyRequest,
    engine: Engine,
    prompts: Sequence[Prompt],
    asked: GenerationRequest,
    make_reply: Callable[[], Reply],
) -> HTTPResponse | None:
    """Run ``prompts`` and answer ``request``; whatever ends this coroutine ends the generation.

    :param make_reply: called when the engine is at work.
    :returns: the whole reply, or None after a stream.
    :raises LlamaboxError: nothing was sent yet and the request cannot be served.
    """
    trace = trace_of(request)
    trace.n_prompt = sum(prompt.n_tokens for prompt in prompts)
    trace.unknown = asked.unknown
    config = request.app.ctx.config
    params = rate_limited(request, asked.params, config, engine.tokens_per_second)
    params = _prioritized(request, params)
    await _constrain(request, engine, prompts[0], params)
    outputs: list[AsyncStream] = []
    try:
        try:
            await _start(engine, prompts, params, asked.choices, outputs)
        except InvalidRequest as error:
            raise named_in_body(error) from None
        n_biases = len(params.logit_bias)
        reply = await _run(make_reply, n_biases)
        if asked.stream:
            await _stream(request, outputs, asked, reply)
            return None
        generated = [_finished(completion) for completion in await await_all(outputs)]
        trace.n_output = sum(completion.n_output for completion in generated)
        n_values = trace.n_output * (params.n_probs + 1) + len(generated) * n_biases
        body = await _run(partial(_whole, reply, asked, params, generated), n_values)
        return HTTPResponse(body, content_type="application/json")
    finally:
        for output in outputs:
            output.cancel()


async def _run(job: Callable[[], _T], n_values: int) -> _T:
    """``job``, off the event loop if it renders many values."""
    if n_values <= LARGE_REPLY:
        return job()
    return await asyncio.get_running_loop().run_in_executor(None, job)


def _whole(
    reply: Reply,
    asked: GenerationRequest,
    params: GenerationParams,
    generated: Sequence[Completion],
) -> bytes:
    """The body of a reply that is not streamed."""
    n = asked.choices.n_generated
    each = [generated[i : i + n] for i in range(0, len(generated), n)]
    chosen = [choice for group in each for choice in best(group, asked.choices, params)]
    return orjson.dumps(selected(reply.whole(chosen, generated), asked.reply.response_fields))


async def _constrain(
    request: AnyRequest, engine: Engine, prompt: Prompt, params: GenerationParams
) -> None:
    """Have the constraint compiled; :raises InvalidRequest: it is wrong."""
    try:
        await engine.constrain(params, prompt)
    except InvalidRequest as error:
        if error.param == "grammar" and params.json_schema:  # it has become one, beside calls
            reason = str(error).removeprefix("grammar: ")
            error = InvalidRequest(f"json_schema: {reason}", param="json_schema")
        body = await request.app.ctx.read(request.body, dict)
        raise named_as_asked(error, body) from None


async def _start(
    engine: Engine,
    prompts: Sequence[Prompt],
    params: GenerationParams,
    choices: ChoiceParams,
    outputs: list[AsyncStream],
) -> None:
    """Append the outputs of each prompt to `outputs`; an error leaves those that have started."""
    if len(prompts) * choices.n_generated == 1:
        outputs.append(await start_one(engine, prompts[0], params))
        return
    if len(prompts) > 1 and params.tokens_per_second and params.rate_key is None:
        params = params.replace(rate_key=f"request-{uuid.uuid4().hex}")
    for prompt in prompts:
        outputs += await engine.submit_choices(prompt, params, choices)


def _prioritized(request: AnyRequest, params: GenerationParams) -> GenerationParams:
    """The parameters with the priority that the ``X-Request-Priority`` header asks for."""
    text = request.headers.get(PRIORITY_HEADER)
    if text is None:
        return params
    try:
        priority = int(text)
    except ValueError:
        raise InvalidRequest(f"{PRIORITY_HEADER}: not an integer", param=PRIORITY_HEADER) from None
    try:
        return params.replace(priority=priority)
    except InvalidRequest as error:
        raise error.about(PRIORITY_HEADER) from None


async def _stream(
    request: AnyRequest, outputs: list[AsyncStream], asked: GenerationRequest, reply: Reply
) -> None:
    trace = trace_of(request)
    trace.is_streamed = True
    events = EventStream(request, asked.reply.ping_seconds)
    reply.watch(outputs)
    status = CLIENT_CLOSED_REQUEST
    try:
        await events.prepare()
        if len(outputs) == 1:
            await _send_all(events, outputs[0], reply, trace)
        else:
            await _send_choices(events, outputs, reply, trace)
        status = 200
    except BaseException as error:
        if not events.is_open:
            trace.is_streamed = False
        if not events.is_open or not isinstance(error, Exception):
            raise
        failure = ErrorReply.of(error, request)
        status = failure.status
        await events.close(event(failure.body()))
    finally:
        events.stop()
        if trace.is_streamed:
            trace.end(request, status)


async def _send_all(events: EventStream, output: AsyncStream, reply: Reply, trace: Trace) -> None:
    """Send every chunk as it comes; the first one leaves with the head, another last one with the
    tail."""
    frames = reply.head()
    async for chunk in output:
        trace.n_output += chunk.n_tokens
        frames += reply.part(chunk)
        is_first = not events.is_open and chunk.finish_reason is not FinishReason.CANCELLED
        if frames and (chunk.finish_reason is None or is_first):
            await events.send(frames)
            frames = b""
    await events.close(frames + reply.tail([_finished(output.result)]))


async def _send_choices(
    events: EventStream, outputs: list[AsyncStream], reply: Reply, trace: Trace
) -> None:
    """`_send_all` for several choices: what is ready of any of them leaves in one write."""
    frames = reply.head()
    ended: dict[int, Completion] = {}
    async with contextlib.aclosing(interleaved(outputs)) as batches:
        async for batch in batches:
            for i, chunk in batch:
                trace.n_output += chunk.n_tokens
                frames += reply.part(chunk, i)
                if chunk.finish_reason is not None:
                    ended[i] = _finished(outputs[i].result)
                    if len(ended) < len(outputs):
                        frames += reply.end(ended[i], i)
            if frames and len(ended) < len(outputs):
                await events.send(frames)
                frames = b""
    completions = [completion for _, completion in sorted(ended.items())]
    await events.close(frames + reply.tail(completions, index=list(ended)[-1]))


def _finished(completion: Completion | None) -> Completion:
    """The completion, if it is one that a client may take for complete."""
    if completion is None:
        raise GenerationError("the generation ended without a result")
    if completion.finish_reason is FinishReason.CANCELLED:
        raise EngineClosed("The server is shutting down")
    return completion
