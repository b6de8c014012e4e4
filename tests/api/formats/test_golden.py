"""Every format's outputs give their messages, however they are cut."""

from __future__ import annotations

import importlib

import pytest

from llamabox.api.formats import FORMATS, ToolFormat
from tests.api.formats.golden import Golden, check

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
