"""What comes out of an engine, as values."""

from __future__ import annotations

import dataclasses
import enum

from .formats import Event
from .messages import ChatMessage


class FinishReason(str, enum.Enum):
    """Why a generation ended."""

    EOG = "eog"
    """The model sampled an end-of-generation token."""
    STOP = "stop"
    """A stop string was completed."""
    LENGTH = "length"
    """`n_predict`, or the end of the context, was reached."""
    DEADLINE = "deadline"
    """Its `deadline` passed."""
    CANCELLED = "cancelled"
    """It was cancelled, or the engine was closed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A token that could stand in a place of the output.

    :param token: its id.
    :param bytes: what it adds to the output; may be a part of a character, or empty.
    :param logprob: natural logarithm of its probability; -inf where that is 0.
    """

    token: int
    bytes: bytes
    logprob: float


@dataclasses.dataclass(frozen=True, slots=True)
class SampledToken(Candidate):
    """An output token.

    :param top: the likeliest tokens in its place, the likeliest first; it may be one of them.
    """

    top: tuple[Candidate, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a prompt is computed.

    :param n_prompt: its tokens.
    :param n_cached: those that did not have to be computed.
    :param n_computed: those that are in cells now, `n_cached` included.
    :param seconds: since its request got a slot.
    """

    n_prompt: int
    n_cached: int
    n_computed: int
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of output.

    :param text: may be empty.
    :param n_tokens: output tokens that it stands for; several if the consumer was slow, and no
        more than tell some 2,000 probabilities. Text of the last ones may come with the next chunk.
    :param finish_reason: set in the last chunk.
    :param logprobs: of these tokens [n_tokens]; None if `n_probs` does not ask.
    :param tokens: their ids [n_tokens].
    :param progress: of the prompt, if there is news of it and `GenerationParams.progress` asks.
    :param events: what the turn of a conversation says by this text: pieces of its message; None
        for other text.
    """

    text: str
    n_tokens: int
    finish_reason: FinishReason | None
    logprobs: tuple[SampledToken, ...] | None = None
    tokens: tuple[int, ...] = ()
    progress: Progress | None = None
    events: tuple[Event, ...] | None = None

    @property
    def n_probs(self) -> int:
        """How many probabilities it tells."""
        return sum(1 + len(token.top) for token in self.logprobs or ())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Where the time of a request went, in seconds; 0 for what did not happen.

    :param queue: submitted to admitted.
    :param prefill: admitted to first token, or to the prompt's end if it is all that is computed.
    :param first_token: submitted to first token (TTFT).
    :param decode: first token to last token.
    :param total: submitted to last token, or to the prompt's end.
    """

    queue: float
    prefill: float
    first_token: float
    decode: float
    total: float

    @classmethod
    def of(cls, submitted: int, admitted: int, first: int, last: int, length: int) -> Timings:
        """From times in nanoseconds of the core's clock, 0 for what was not yet; a prompt without
        output is at its end at `length`."""

        def seconds(start: int, end: int) -> float:
            return (end - start) / 1e9 if start and end else 0.0

        return cls(
            queue=seconds(submitted, admitted),
            prefill=seconds(admitted, first or length),
            first_token=seconds(submitted, first),
            decode=seconds(first, last),
            total=seconds(submitted, last or length),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How far a generation is; fields as those of `Completion`."""

    n_prompt: int
    n_cached: int
    n_output: int
    n_reasoning: int
    n_drafted: int
    n_draft_accepted: int
    timings: Timings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A whole output.

    :param text: without the stop string.
    :param tokens: ids of the output tokens, the end-of-generation token included.
    :param n_prompt: tokens of the prompt.
    :param n_cached: those that did not have to be computed.
    :param n_output: tokens of the output.
    :param n_reasoning: those of its reasoning, the tags included, if the prompt was a conversation.
    :param n_drafted: tokens that were drafted for it and verified; those that were rejected are in
        no other number.
    :param n_draft_accepted: tokens of the output that had been drafted.
    :param truncated: the context was too short: it shifted, or the output ended with it.
    :param slot: the number of the slot that it ran in last; -1 if it was ended before.
    :param stop_string: the stop string that ended it, if one did.
    :param message: what the text says, if it is the turn of a conversation.
    :param logprobs: of all `tokens` [n_output], also of those that the stop string or nothing has
        come of; None if `n_probs` does not ask.
    """

    text: str
    tokens: tuple[int, ...]
    n_prompt: int
    n_cached: int
    n_output: int
    finish_reason: FinishReason
    stop_string: str | None
    timings: Timings
    logprobs: tuple[SampledToken, ...] | None = None
    message: ChatMessage | None = None
    truncated: bool = False
    n_reasoning: int = 0
    n_drafted: int = 0
    n_draft_accepted: int = 0
    slot: int = -1


@dataclasses.dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of durations.

    :param bounds: upper bounds of the buckets in seconds; one more bucket holds what is above.
    :param counts: per bucket, not cumulative [len(bounds) + 1].
    :param sum: of all durations, in seconds.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """Counters since the engine started, and its state now.

    :param n_ctx: tokens that a request may hold.
    :param n_cells: cells of all sessions.
    :param n_cells_used: cells that hold something, parked prefixes included.
    :param n_checkpoints: states in RAM that prompts can start from.
    :param n_checkpoint_bytes: bytes that they take.
    :param n_tier_blocks: blocks of evicted prefixes that are kept in RAM.
    :param n_tier_bytes: bytes that they take.
    :param n_tier_disk_blocks: blocks in files that this engine knows of.
    :param n_tier_disk_bytes: bytes of their cells.
    :param n_tier_hits: times that a prompt started from some of them.
    :param n_tier_saved_tokens: tokens whose cells were saved.
    :param n_tier_loaded_tokens: tokens whose cells came back.
    :param n_slots: requests that can run at once.
    :param n_running: requests that have a slot.
    :param n_throttled: running requests that wait until their rate allows the next token.
    :param n_waiting: requests in the queue.
    :param tokens_per_second: output that a request may ask for at most; 0 for no such limit.
    :param n_steps: forwards.
    :param n_sleeps: times that the step thread waited for an arrival, or for a throttled request.
    :param n_wakeups: notifications of an event loop or thread: for each one per step at most, and
        one more if a step begins with ending what was cancelled.
    :param n_prompt_tokens: prompt tokens computed.
    :param n_cached_tokens: prompt tokens reused.
    :param n_output_tokens: tokens sampled.
    :param forward_seconds: CPU time of the step thread inside llama.cpp's forwards.
    :param prefill_seconds: step time, by the share of prefill rows.
    :param decode_seconds: step time, by the share of decode rows.
    :param n_preempted: times a request lost its cells to others and began again later.
    :param n_shifts: times a request's full context was shifted.
    :param n_drafted: tokens that were drafted and verified.
    :param n_draft_accepted: those that became output.
    :param n_accepted_at: the same by their position in the draft.
    :param n_requests: finished requests by finish reason; failed ones under "error", those that
        could not go on by what was asked of them under "no_token".
    :param queue_time: submitted to admitted.
    :param first_token: submitted to first token.
    :param inter_token: between output tokens of a request.
    """

    n_ctx: int
    n_cells: int
    n_cells_used: int
    n_checkpoints: int
    n_checkpoint_bytes: int
    n_tier_blocks: int
    n_tier_bytes: int
    n_tier_disk_blocks: int
    n_tier_disk_bytes: int
    n_tier_hits: int
    n_tier_saved_tokens: int
    n_tier_loaded_tokens: int
    n_slots: int
    n_running: int
    n_throttled: int
    n_waiting: int
    tokens_per_second: float
    n_steps: int
    n_sleeps: int
    n_wakeups: int
    n_prompt_tokens: int
    n_cached_tokens: int
    n_output_tokens: int
    forward_seconds: float
    prefill_seconds: float
    decode_seconds: float
    n_preempted: int
    n_shifts: int
    n_drafted: int
    n_draft_accepted: int
    n_accepted_at: tuple[int, ...]
    n_requests: dict[str, int]
    queue_time: Histogram
    first_token: Histogram
    inter_token: Histogram
