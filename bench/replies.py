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
class Reply:
    """What one request got.

    :param is_whole: it was accepted and its stream came to its end.
    :param n_tokens: output tokens as counted by the server's `usage`; events with text where it
        gives none.
    :param sent_at: when the request was written, in ns of `time.perf_counter_ns`.
    :param times: when each event with text arrived, likewise.
    :param ended_at: when the last byte arrived, likewise.
    """

    text: str
    is_whole: bool
    n_tokens: int
    sent_at: int
    times: tuple[int, ...]
    ended_at: int

    @property
    def first_token_at(self) -> int:
        """When the first text arrived, in ns of `time.perf_counter_ns`."""
        return self.times[0] if self.times else self.ended_at

    @property
    def first_token(self) -> float:
        """Seconds from request to first text."""
        return (self.first_token_at - self.sent_at) / 1e9

    @property
    def gaps(self) -> tuple[float, ...]:
        """Seconds between events with text."""
        return tuple((b - a) / 1e9 for a, b in itertools.pairwise(self.times))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """The figures of one load; failed requests have a part in none but `n_failed`.

    :param seconds: from the first request to the end of the last reply.
    :param client_share: processor time of the load generator, as a share of one core.
    :param replies: to all requests, in their order.
    """

    seconds: float
    client_share: float
    replies: tuple[Reply, ...]

    @property
    def whole(self) -> tuple[Reply, ...]:
        """The replies that are complete, in the requests' order."""
        return tuple(reply for reply in self.replies if reply.is_whole)

    @property
    def n_failed(self) -> int:
        return len(self.replies) - len(self.whole)

    @property
    def n_tokens(self) -> int:
        """Output tokens of all replies."""
        return sum(reply.n_tokens for reply in self.whole)

    @property
    def texts(self) -> tuple[str, ...]:
        """The replies' texts, in the requests' order."""
        return tuple(reply.text for reply in self.whole)

    @property
    def first_token(self) -> tuple[float, ...]:
        """Seconds from request to first text, one for each reply."""
        return tuple(reply.first_token for reply in self.whole)

    @property
    def gaps(self) -> tuple[float, ...]:
        """Seconds between events with text, of all replies."""
        return tuple(gap for reply in self.whole for gap in reply.gaps)

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
    return LoadResult(
        seconds=seconds,
        client_share=cpu_seconds / seconds,
        replies=tuple(read_reply(reply) for reply in replies),
    )


def read_reply(reply: RawReply) -> Reply:
    """Parse one reply."""
    texts: list[str] = []
    times: list[int] = []
    n_tokens = 0
    is_whole = reply.status == 200 and reply.events[-1:] == [b"[DONE]"]
    for data, at in zip(reply.events, reply.times, strict=True):
        if data == b"[DONE]":
            continue
        event = orjson.loads(data)
        is_whole &= not event.get("error")
        if text := _text(event):
            texts.append(text)
            times.append(at)
        n_tokens = (event.get("usage") or {}).get("completion_tokens", n_tokens)
    return Reply(
        text="".join(texts),
        is_whole=is_whole,
        n_tokens=n_tokens or len(texts),
        sent_at=reply.sent_at,
        times=tuple(times),
        ended_at=reply.ended_at,
    )


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile; NaN of nothing."""
    return float(np.percentile(values, q)) if values else float("nan")


def _text(event: dict[str, Any]) -> str:
    """The text of a completion's or a chat completion's event."""
    for choice in event.get("choices", ()):
        text = choice.get("text") or (choice.get("delta") or {}).get("content")
        if text:
            return str(text)
    return ""
