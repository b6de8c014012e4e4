"""Reasoning split off an output, however that is cut."""

from __future__ import annotations

import pytest

from llamabox.api.formats import Content, Event, Parser, Reasoning
from llamabox.api.reasoning import ReasoningParser
from llamabox.api.thinking import TAGS, Tags, Thinking, find_tags, thinking_variables
from llamabox.params import ReasoningParams

THINK = Tags("<think>", "</think>")


class Plain:
    """An inner parser that knows no calls."""

    def feed(self, text: str) -> list[Event]:
        return [Content(text)]

    def close(self) -> list[Event]:
        return []


def joined(events: list[Event]) -> tuple[str, str]:
    """(reasoning, content)."""
    return (
        "".join(event.text for event in events if isinstance(event, Reasoning)),
        "".join(event.text for event in events if isinstance(event, Content)),
    )


def parsed(pieces: list[str], thinking: Thinking, **options: bool) -> tuple[str, str]:
    inner: Parser = Plain()
    parser = ReasoningParser(inner, thinking, **options)
    events = [event for piece in pieces for event in parser.feed(piece)]
    return joined(events + parser.close())


CLOSED = [
    ("<think>why</think>answer", "why", "answer"),
    ("\n <think>\n why  not\n\n</think>\n\nanswer \n", "why  not", "answer \n"),
    ("<think></think>answer", "", "answer"),
    ("<think>\n\n</think>\n\nanswer", "", "answer"),
    ("answer", "", "answer"),
    (" \n answer", "", " \n answer"),
    ("answer <think>no</think>", "", "answer <think>no</think>"),
    ("<thinking>answer", "", "<thinking>answer"),
    ("<think>a</think>b<think>c</think>d", "a", "b<think>c</think>d"),
    ("<think>never ends \n", "never ends", ""),
    ("<think>nearly ends</think", "nearly ends</think", ""),
    ("<think>a <think> b</think>c", "a <think> b", "c"),
    ("<think>a </thi </think>c", "a </thi", "c"),
    ("<think>a<</</think>c", "a<</", "c"),
    ("</think>\n\nanswer", "", "answer"),
    ("<th", "", "<th"),
    (" \n", "", " \n"),
    ("", "", ""),
    ("<think>", "", ""),
    ("<think>über</think>naïve €", "über", "naïve €"),
]
OPEN = [
    ("why</think>answer", "why", "answer"),
    ("\n why\n</think>\n\nanswer", "why", "answer"),
    ("</think>answer", "", "answer"),
    ("\n\n</think>answer", "", "answer"),
    ("<think>\nwhy</think>answer", "why", "answer"),
    ("never ends", "never ends", ""),
    ("a <think> b</think>c</think>d", "a <think> b", "c</think>d"),
    ("a\n \n b", "a\n \n b", ""),
    ("<thin ice</think>c", "<thin ice", "c"),
    ("", "", ""),
]


class TestSplitting:
    @pytest.mark.parametrize(("text", "reasoning", "content"), CLOSED)
    def test_what_the_output_opens(self, text: str, reasoning: str, content: str):
        check_all_cuts(text, Thinking(THINK), (reasoning, content))

    @pytest.mark.parametrize(("text", "reasoning", "content"), OPEN)
    def test_what_the_prompt_opens(self, text: str, reasoning: str, content: str):
        check_all_cuts(text, Thinking(THINK, is_open=True), (reasoning, content))

    @pytest.mark.parametrize(
        ("text", "reasoning"),
        [(" why\n</think>\n\nanswer", " why"), ("\n\nwhy</think>answer", "\n\nwhy")],
    )
    def test_what_was_begun_goes_on_as_it_is_written(self, text: str, reasoning: str):
        check_all_cuts(text, Thinking(THINK, is_open=True, is_begun=True), (reasoning, "answer"))

    @pytest.mark.parametrize("tags", TAGS)
    def test_tags_of_all_models(self, tags: Tags):
        text = f"{tags.opening}\nwhy\n{tags.closing}\nanswer"
        check_all_cuts(text, Thinking(tags), ("why", "answer"))

    @pytest.mark.parametrize("is_open", [False, True])
    @pytest.mark.parametrize("text", [text for text, _, _ in CLOSED + OPEN])
    def test_untold_it_stays_in_the_content(self, text: str, is_open: bool):
        thinking = Thinking(THINK, is_open=is_open)
        check_all_cuts(text, thinking, ("", text), told=False, in_content=True)

    def test_told_it_may_be_in_the_content_too(self):
        text = "<think>\nwhy\n</think>\n\nanswer"
        both = {"told": True, "in_content": True}
        check_all_cuts(text, Thinking(THINK), ("why", text), **both)
        check_all_cuts(
            text.removeprefix("<think>"), Thinking(THINK, is_open=True), ("why", text), **both
        )

    def test_the_inner_parser_sees_the_answer_alone(self):
        seen: list[str] = []

        class Inner(Plain):
            def feed(self, text: str) -> list[Event]:
                seen.append(text)
                return []

        for options in ({}, {"told": False, "in_content": True}):
            seen.clear()
            parser = ReasoningParser(Inner(), Thinking(THINK), **options)
            parser.feed("<think><tool_call>x</tool_call></think>\n<tool_call>")
            parser.close()
            assert "".join(seen) == "<tool_call>"

    def test_text_is_said_as_soon_as_it_is_sure(self):
        parser = ReasoningParser(Plain(), Thinking(THINK))
        said = [parser.feed(piece) for piece in ("<think>", "a", " ", "b<", "/think>", "c")]
        assert said == [[], [Reasoning("a")], [], [Reasoning(" b")], [], [Content("c")]]

    @pytest.mark.parametrize("piece", ["\n", "<", "a", "</think"])
    def test_work_is_proportional_to_the_text(self, piece: str):
        n_scanned = []
        for n in (500, 1000):
            parser = ReasoningParser(Plain(), Thinking(THINK, is_open=True))
            for _ in range(n):
                parser.feed(piece)
            parser.close()
            n_scanned.append(parser.n_scanned)
        assert n_scanned[1] <= 2.1 * n_scanned[0] + 50


def check_all_cuts(
    text: str, thinking: Thinking, expected: tuple[str, str], **options: bool
) -> None:
    assert parsed([text], thinking, **options) == expected
    assert parsed(list(text), thinking, **options) == expected
    for i in range(len(text)):
        assert parsed([text[:i], text[i:]], thinking, **options) == expected, text[:i]


class TestTags:
    @pytest.mark.parametrize(
        ("template", "opening"),
        [
            ("{{ '<|im_start|>assistant\\n<think>\\n' }}{% if '</think>' in content %}", "<think>"),
            ("{{ m.content.split('</think>')[-1] }}", "<think>"),
            ("<|START_THINKING|>{{ x }}<|END_THINKING|> <think>", "<|START_THINKING|>"),
            ("[THINK]{{ x }}[/THINK]", "[THINK]"),
            ("{{ m.content }}", None),
        ],
    )
    def test_are_told_from_the_template(self, template: str, opening: str | None):
        found = find_tags(template)
        assert (found and found.opening) == opening


class TestVariables:
    def test_nobody_decides(self):
        assert thinking_variables(ReasoningParams(), {"a": 1}) == {"enable_thinking": True, "a": 1}

    @pytest.mark.parametrize(
        ("params", "decided"),
        [
            (ReasoningParams(enabled=True), True),
            (ReasoningParams(enabled=False), False),
            (ReasoningParams(effort="none"), False),
            (ReasoningParams(budget=0), False),
        ],
    )
    def test_every_name_says_the_same(self, params: ReasoningParams, decided: bool):
        variables = thinking_variables(params, {})
        assert variables["enable_thinking"] is variables["thinking"] is decided
        assert variables["thinking_mode"] == ("enabled" if decided else "disabled")
        assert "reasoning_effort" not in variables

    def test_the_caller_counts_more(self):
        given = {"enable_thinking": True, "thinking_mode": "x"}
        variables = thinking_variables(ReasoningParams(enabled=False), given)
        assert variables["thinking"] is True
        assert variables["thinking_mode"] == "x"

    def test_effort_reaches_the_template(self):
        variables = thinking_variables(ReasoningParams(effort="high"), {})
        assert variables["reasoning_effort"] == "high"
