"""Every format's outputs give their messages, however they are cut."""

from __future__ import annotations

import importlib

import pytest

from llamabox.api.formats import FORMATS, ToolFormat
from tests.api.formats.golden import Golden, check, parsed

KINDS = {"plain", "one", "two", "before", "broken"}


def outputs_of(format_: ToolFormat) -> list[Golden]:
    """The table `GOLDEN` of the module named after the format."""
    name = format_.name.replace("-", "_").replace(".", "_")
    golden: list[Golden] = importlib.import_module(f"tests.api.formats.{name}").GOLDEN
    return golden


CASES = [
    pytest.param(format_, golden, id=f"{format_.name}-{i}-{golden.kind.replace(' ', '_')}")
    for format_ in FORMATS
    for i, golden in enumerate(outputs_of(format_))
]


@pytest.mark.parametrize(("format_", "golden"), CASES)
def test_a_cut_output_is_the_whole_one(format_: ToolFormat, golden: Golden) -> None:
    check(golden, format_.parser)


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
def test_each_format_has_the_kinds_of_outputs(format_: ToolFormat) -> None:
    outputs = outputs_of(format_)
    assert {golden.kind for golden in outputs} >= KINDS
    assert len(outputs) >= 5


@pytest.mark.parametrize(
    "format_",
    [format_ for format_ in FORMATS if format_.reasoning or format_.marks_answers],
    ids=lambda format_: format_.name,
)
def test_without_tools_nothing_is_a_call(format_: ToolFormat) -> None:
    """These parsers read the outputs of conversations that have no tools too."""
    for golden in outputs_of(format_):
        message = parsed(format_.parser(()), [golden.text])
        assert not message.tool_calls
        assert message.reasoning == golden.message.reasoning
        if golden.message.tool_calls:
            assert message.content
