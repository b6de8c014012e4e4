"""The outputs that every format is shown."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said

PARIS = '{"city": "Paris"}'
SUM = '{"a": 1, "b": 2.5}'
PLAIN = "It is sunny, 20 °C. 好!\n1 < 2, [a] and {b}, <b>?\n"


def usual(
    one: str, two: str, *, before: str = "{text}\n\n{call}", ids: tuple[str, str] = ("", "")
) -> list[Golden]:
    """Plain text, one call, two calls and text before a call.

    :param one: the call of `get_weather` with `PARIS`.
    :param two: this one, then one of `add` with `SUM`.
    :param before: a call behind text, if something has to be between them.
    :param ids: of the calls.
    """
    weather, add = ("get_weather", PARIS, ids[0]), ("add", SUM, ids[1])
    return [
        Golden("plain", PLAIN, said(PLAIN)),
        Golden("plain", "", said("")),
        Golden("one", one, said(None, weather)),
        Golden("two", two, said(None, weather, add)),
        Golden(
            "before", before.format(text="Let me look.", call=one), said("Let me look.", weather)
        ),
        Golden("before", before.format(text="好 <:", call=two), said("好 <:", weather, add)),
    ]


def is_content(text: str, kind: str = "broken") -> Golden:
    """An output that is content as it is."""
    return Golden(kind, text, said(text))
