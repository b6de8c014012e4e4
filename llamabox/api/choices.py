"""Several outputs of one prompt: what each is generated with, read together, the best of them."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import secrets
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from ..errors import InvalidRequest
from ..params import ChoiceParams, GenerationParams
from ..ranges import MAX_SEED, RANDOM_SEED
from .results import Chunk, Completion
from .stream import MANY_PROBS, AsyncStream, Stream

if TYPE_CHECKING:
    from .engine import Engine
    from .prompts import Prompt

FEW_BIASES = 100
"""Tokens whose biases are set at once. For each of DRY's sequence breakers llama.cpp looks through
the whole vocabulary."""


def choice_params(params: GenerationParams, choices: ChoiceParams) -> list[GenerationParams]:
    """The parameters of each output: the one at `i` has the seed plus `i`, modulo all seeds.

    :raises InvalidRequest: they are to be ranked, and tell of probabilities after the samplers.
    """
    n_probs = params.n_probs
    if choices.are_ranked:
        if params.post_sampling_probs:
            raise InvalidRequest(
                "best_of ranks by the model's own probabilities, not by post_sampling_probs",
                param="best_of",
            )
        n_probs = max(0, n_probs)
    seed = params.seed
    if seed == RANDOM_SEED:
        seed = secrets.randbelow(MAX_SEED + 1)
    return [
        params.replace(seed=(seed + i) % (MAX_SEED + 1), n_probs=n_probs)
        for i in range(choices.n_generated)
    ]


def best(
    completions: Sequence[Completion], choices: ChoiceParams, params: GenerationParams
) -> list[Completion]:
    """The outputs to return; if more were generated, the best first.

    :param params: what was asked for; log probabilities only served the ranking if it has none.
    """
    if not choices.are_ranked:
        return list(completions)
    found = sorted(completions, key=mean_logprob, reverse=True)[: choices.n]
    if params.n_probs >= 0:
        return found
    return [dataclasses.replace(completion, logprobs=None) for completion in found]


def mean_logprob(completion: Completion) -> float:
    """Mean log probability per token; -inf without tokens."""
    if not completion.logprobs:
        return -math.inf
    return sum(token.logprob for token in completion.logprobs) / len(completion.logprobs)


async def start_one(engine: Engine, prompt: Prompt, params: GenerationParams) -> AsyncStream:
    """`Engine.submit`, with samplers that take long to make made off the event loop."""
    if params.dry_multiplier or len(params.logit_bias) > FEW_BIASES:
        (stream,) = await engine.submit_choices(prompt, params, ChoiceParams())
        return stream
    return engine.submit(prompt, params)


async def interleaved(
    streams: Sequence[AsyncStream],
) -> AsyncGenerator[list[tuple[int, Chunk]], None]:
    """What is ready of any stream, as (its index, chunk) pairs, until all have ended.

    Between batches of many probabilities the loop has a turn.

    :raises GenerationError: llama.cpp failed on one.
    :raises NoTokenLeft: what was asked for leaves one nothing to sample.
    """
    loop = asyncio.get_running_loop()
    running = dict(enumerate(streams))
    while running:
        ready = [i for i, stream in running.items() if stream.has_chunk]
        if not ready:
            waiter = loop.create_future()
            for stream in running.values():
                stream.wake(waiter)
            await waiter
        batch: list[tuple[int, Chunk]] = []
        n_probs = 0
        for i in ready:
            chunk = running[i].take_chunk()
            batch.append((i, chunk))
            if chunk.finish_reason is not None:
                del running[i]
            n_probs += chunk.n_probs
            if n_probs >= MANY_PROBS or i == ready[-1]:
                yield batch
                if n_probs:
                    await asyncio.sleep(0)
                batch, n_probs = [], 0


def complete_all(streams: Sequence[Stream]) -> list[Completion]:
    """Wait for the end of all; if one fails, or the wait is interrupted, all are cancelled.

    :raises GenerationError: llama.cpp failed on one.
    :raises NoTokenLeft: what was asked for leaves one nothing to sample.
    """
    try:
        return [stream.completion() for stream in streams]
    except BaseException:
        cancel_all(streams)
        raise


async def await_all(streams: Sequence[AsyncStream]) -> list[Completion]:
    """`complete_all` for a task; one that is cancelled meanwhile cancels them."""
    completions: list[Completion] = []
    try:
        for stream in streams:
            if completions:
                await asyncio.sleep(0)  # Many that are ready would hold the loop.
            completions.append(await stream.completion())
        return completions
    except BaseException:
        cancel_all(streams)
        raise


def cancel_all(streams: Sequence[AsyncStream] | Sequence[Stream]) -> None:
    for stream in streams:
        stream.cancel()
