"""From the replies of a load to its figures: rates, time to first token, gaps between tokens."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from .http_stream import RawReply


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """The figures of one load.

    :param seconds: from the first request to the end of the last reply.
    :param client_share: processor time of the load generator, as a share of one core.
    :param n_tokens: output tokens, as counted by the servers' `usage`; events with text where a
        server gives none.
    :param texts: the replies' texts, in no order.
    :param first_token: seconds from request to first text, one for each reply.
    :param gaps: seconds between events with text, of all replies.
    """

    seconds: float
    client_share: float
    n_tokens: int
    n_failed: int
    texts: tuple[str, ...]
    first_token: tuple[float, ...]
    gaps: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Output tokens per second."""
        return self.n_tokens / self.seconds

    def samples(self, name: str) -> tuple[float, ...]:
        """The seconds that are called "TTFT" or "gap"."""
        return {"TTFT": self.first_token, "gap": self.gaps}[name]

    def table(self) -> list[tuple[str, str]]:
        """The figures as (name, value) rows."""
        rows = [
            ("requests", f"{len(self.texts)}, {self.n_failed} failed"),
            ("wall time", f"{self.seconds:.2f} s"),
            ("output tokens", f"{self.n_tokens:,}"),
            ("rate", f"{self.rate:,.0f} tok/s"),
        ]
        for name in ("TTFT", "gap"):
            rows += [
                (f"{name} p{q}", f"{1e3 * percentile(self.samples(name), q):.2f} ms")
                for q in (50, 90, 99, 100)
            ]
        rows.append(("load generator", f"{self.client_share:.0%} of a core"))
        return rows


def read_replies(replies: Sequence[RawReply], seconds: float, cpu_seconds: float) -> LoadResult:
    """Parse what a load has collected."""
    read = [_read(reply) for reply in replies if _is_whole(reply)]
    return LoadResult(
        seconds=seconds,
        client_share=cpu_seconds / seconds,
        n_tokens=sum(one.n_tokens for one in read),
        n_failed=len(replies) - len(read),
        texts=tuple(one.text for one in read),
        first_token=tuple(one.first_token for one in read),
        gaps=tuple(gap for one in read for gap in one.gaps),
    )


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile; NaN of nothing."""
    return float(np.percentile(values, q)) if values else float("nan")


@dataclasses.dataclass(frozen=True, slots=True)
class _Reply:
    text: str
    n_tokens: int
    first_token: float
    gaps: tuple[float, ...]


def _is_whole(reply: RawReply) -> bool:
    return reply.status == 200 and reply.events[-1:] == [b"[DONE]"]


def _read(reply: RawReply) -> _Reply:
    texts: list[str] = []
    times: list[int] = []
    n_tokens = 0
    for data, at in zip(reply.events, reply.times, strict=True):
        if data == b"[DONE]":
            continue
        event = orjson.loads(data)
        if text := _text(event):
            texts.append(text)
            times.append(at)
        n_tokens = (event.get("usage") or {}).get("completion_tokens", n_tokens)
    first = times[0] if times else reply.ended_at
    gaps = tuple((b - a) / 1e9 for a, b in itertools.pairwise(times))
    return _Reply("".join(texts), n_tokens or len(texts), (first - reply.sent_at) / 1e9, gaps)


def _text(event: dict[str, Any]) -> str:
    """The text of a completion's or a chat completion's event."""
    for choice in event.get("choices", ()):
        text = choice.get("text") or (choice.get("delta") or {}).get("content")
        if text:
            return str(text)
    return ""
