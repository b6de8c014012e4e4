"""What a generation took: OpenAI's ``usage``, llama-server's ``timings``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..api import Completion, Timings

__all__ = ["timings", "usage"]


def usage(first: Completion, *others: Completion) -> dict[str, Any]:
    """OpenAI's token counts with llama-box's speeds beside them.

    The prompt counts once, with the cached tokens of the first output; what the others share with
    it is not cached before the request. The output tokens are those of all; drafted ones that were
    rejected are none of them.
    """
    times = timings(first, *others)
    n_output = times["predicted_n"]
    n_drafted, n_accepted = _drafts(first, *others)
    return {
        "prompt_tokens": first.n_prompt,
        "completion_tokens": n_output,
        "total_tokens": first.n_prompt + n_output,
        "prompt_tokens_details": {"cached_tokens": first.n_cached},
        "completion_tokens_details": {
            "reasoning_tokens": sum(each.n_reasoning for each in (first, *others)),
            "accepted_prediction_tokens": n_accepted,
            "rejected_prediction_tokens": n_drafted - n_accepted,
        },
        "queue_time_ms": first.timings.queue * 1e3,
        "time_to_first_token_ms": first.timings.first_token * 1e3,
        "time_per_output_token_ms": times["predicted_per_token_ms"],
        "prompt_tokens_per_second": times["prompt_per_second"],
        "tokens_per_second": times["predicted_per_second"],
        "draft_tokens": n_drafted,
        "draft_tokens_acceptance": _ratio(n_accepted, n_drafted),
    }


def timings(first: Completion, *others: Completion) -> dict[str, Any]:
    """llama-server's ``timings``: milliseconds, and rates that are 0 where nothing was timed.

    The first output token is part of the prompt's time, so one token has no decode rate. The prompt
    is that of the first output, what is predicted that of all: from the first token of any to the
    last. What is said of drafts is left out if there were none.
    """
    outputs = [completion for completion in (first, *others) if completion.n_output]
    prompt_n = first.n_prompt - first.n_cached
    prompt_ms = first.timings.prefill * 1e3
    predicted_n = sum(output.n_output for output in outputs)
    predicted_ms = _decode_seconds([output.timings for output in outputs]) * 1e3
    n_steps = predicted_n - len(outputs)
    n_drafted, n_accepted = _drafts(*outputs)
    drafts = {"draft_n": n_drafted, "draft_n_accepted": n_accepted} if n_drafted else {}
    return {
        "cache_n": first.n_cached,
        "prompt_n": prompt_n,
        "prompt_ms": prompt_ms,
        "prompt_per_token_ms": _ratio(prompt_ms, prompt_n),
        "prompt_per_second": _ratio(1e3 * prompt_n, prompt_ms),
        "predicted_n": predicted_n,
        "predicted_ms": predicted_ms,
        "predicted_per_token_ms": _ratio(predicted_ms, n_steps),
        "predicted_per_second": _ratio(1e3 * n_steps, predicted_ms),
        **drafts,
    }


def _drafts(*completions: Completion) -> tuple[int, int]:
    """Tokens that were drafted, and those of them that became output."""
    return (
        sum(completion.n_drafted for completion in completions),
        sum(completion.n_draft_accepted for completion in completions),
    )


def _decode_seconds(timings: Sequence[Timings]) -> float:
    if len(timings) == 1:
        return timings[0].decode
    started = min((each.first_token for each in timings), default=0.0)
    return max((each.total for each in timings), default=0.0) - started


def _ratio(value: float, by: float) -> float:
    return value / by if value > 0 and by > 0 else 0.0
