"""What a generation took: OpenAI's ``usage``, llama-server's ``timings``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..api import Completion, Counts, Progress, Timings

__all__ = ["Counted", "prompt_progress", "timings", "usage"]

Counted = Completion | Counts


def usage(outputs: Sequence[Counted], n_prompts: int = 1) -> dict[str, Any]:
    """OpenAI's token counts with llama-box's speeds beside them.

    Each prompt counts once, with the cached tokens of its first output; what the others share with
    it is not cached before the request. The output tokens are those of all; drafted ones that were
    rejected are none of them.

    :param outputs: those of each prompt behind one another, as many for each.
    """
    times = timings(outputs, n_prompts)
    firsts = _firsts(outputs, n_prompts)
    n_prompt = sum(first.n_prompt for first in firsts)
    n_output = times["predicted_n"]
    n_drafted, n_accepted = _drafts(outputs)
    return {
        "prompt_tokens": n_prompt,
        "completion_tokens": n_output,
        "total_tokens": n_prompt + n_output,
        "prompt_tokens_details": {"cached_tokens": times["cache_n"]},
        "completion_tokens_details": {
            "reasoning_tokens": sum(output.n_reasoning for output in outputs),
            "accepted_prediction_tokens": n_accepted,
            "rejected_prediction_tokens": n_drafted - n_accepted,
        },
        "queue_time_ms": firsts[0].timings.queue * 1e3,
        "time_to_first_token_ms": firsts[0].timings.first_token * 1e3,
        "time_per_output_token_ms": times["predicted_per_token_ms"],
        "prompt_tokens_per_second": times["prompt_per_second"],
        "tokens_per_second": times["predicted_per_second"],
        "draft_tokens": n_drafted,
        "draft_tokens_acceptance": _ratio(n_accepted, n_drafted),
    }


def timings(outputs: Sequence[Counted], n_prompts: int = 1) -> dict[str, Any]:
    """llama-server's ``timings``: milliseconds, and rates that are 0 where nothing was timed.

    The first output token is part of the prompt's time, so one token has no decode rate. A prompt
    is that of its first output; several took as long as the slowest. What is predicted is that of
    all: from the first token of any to the last. What is said of drafts is left out if there were
    none.

    :param outputs: those of each prompt behind one another, as many for each.
    """
    firsts = _firsts(outputs, n_prompts)
    running = [output for output in outputs if output.n_output]
    cache_n = sum(first.n_cached for first in firsts)
    prompt_n = sum(first.n_prompt for first in firsts) - cache_n
    prompt_ms = max(first.timings.prefill for first in firsts) * 1e3
    predicted_n = sum(output.n_output for output in running)
    predicted_ms = _decode_seconds([output.timings for output in running]) * 1e3
    n_steps = predicted_n - len(running)
    n_drafted, n_accepted = _drafts(running)
    drafts = {"draft_n": n_drafted, "draft_n_accepted": n_accepted} if n_drafted else {}
    return {
        "cache_n": cache_n,
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


def prompt_progress(progress: Progress) -> dict[str, Any]:
    """llama-server's ``prompt_progress``; milliseconds since the request got a slot."""
    return {
        "total": progress.n_prompt,
        "cache": progress.n_cached,
        "processed": progress.n_computed,
        "time_ms": progress.seconds * 1e3,
    }


def _firsts(outputs: Sequence[Counted], n_prompts: int) -> Sequence[Counted]:
    return outputs[:: len(outputs) // n_prompts]


def _drafts(outputs: Sequence[Counted]) -> tuple[int, int]:
    """Tokens that were drafted, and those of them that became output."""
    return (
        sum(output.n_drafted for output in outputs),
        sum(output.n_draft_accepted for output in outputs),
    )


def _decode_seconds(timings: Sequence[Timings]) -> float:
    if len(timings) == 1:
        return timings[0].decode
    started = min((each.first_token for each in timings), default=0.0)
    return max((each.total for each in timings), default=0.0) - started


def _ratio(value: float, by: float) -> float:
    return value / by if value > 0 and by > 0 else 0.0
