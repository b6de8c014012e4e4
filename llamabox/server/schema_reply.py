"""What a request asks of the reply's form: a stream or not, and what is in it beside the text."""

from __future__ import annotations

import dataclasses

from .schema_fields import Fields

__all__ = ["ReplyOptions", "read_reply_options"]

MAX_RESPONSE_FIELDS = 256
MAX_PING_SECONDS = 3600
NO_PINGS = -1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReplyOptions:
    """The form of a reply.

    :param stream: answer with events.
    :param include_usage: end the events with the usage.
    :param timings_per_token: tell in each event how fast it goes.
    :param return_progress: tell how much of the prompt is computed, in events before the first
        token.
    :param return_tokens: tell the ids of the output tokens.
    :param response_fields: paths of what a native or whole reply is to hold; none holds all.
    :param ping_seconds: a stream that is silent so long gets a comment; -1 gets none, None as
        the server has it.
    """

    stream: bool
    include_usage: bool
    timings_per_token: bool
    return_progress: bool
    return_tokens: bool
    response_fields: tuple[str, ...]
    ping_seconds: int | None


def read_reply_options(fields: Fields) -> ReplyOptions:
    """:raises InvalidRequest: a field is mistyped or out of range."""
    options = fields.object("stream_options")
    return ReplyOptions(
        stream=fields.boolean("stream"),
        include_usage=options is not None and options.boolean("include_usage"),
        timings_per_token=fields.boolean("timings_per_token"),
        return_progress=fields.boolean("return_progress"),
        return_tokens=fields.boolean("return_tokens"),
        response_fields=_read_response_fields(fields),
        ping_seconds=_read_ping_seconds(fields),
    )


def _read_response_fields(fields: Fields) -> tuple[str, ...]:
    paths = fields.strings("response_fields") or ()
    if len(paths) > MAX_RESPONSE_FIELDS:
        raise fields.refuse("response_fields", f"holds more than {MAX_RESPONSE_FIELDS} paths")
    return tuple(paths)


def _read_ping_seconds(fields: Fields) -> int | None:
    seconds = fields.integer("sse_ping_interval")
    if seconds is None or seconds == NO_PINGS or 1 <= seconds <= MAX_PING_SECONDS:
        return seconds
    reason = f"{seconds} is neither {NO_PINGS} nor within 1 to {MAX_PING_SECONDS}"
    raise fields.refuse("sse_ping_interval", reason)
