"""Grammars of calls: what they take of whole outputs, and what models write under them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from llamabox import Engine, EngineParams, FinishReason, GenerationParams, InvalidRequest
from llamabox.api.call_grammar import call_grammar
from llamabox.api.formats import FORMATS, GENERIC
from llamabox.api.formats.hermes import HERMES_SHAPES
from llamabox.api.formats.qwen_coder import QWEN_CODER
from llamabox.api.formats.tool_format import CallShapes, Id, Json, Literal, Maybe, Tool, Until
from llamabox.api.tools import tool_use
from llamabox.api.turn import Turn

WEATHER = Tool(
    "weather",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 8}, "unit": {"enum": ["C", "F"]}},
        "required": ["city", "unit"],
    },
    strict=True,
)
ADD = Tool(
    "add",
    parameters={
        "type": "object",
        "properties": {"x": {"type": "integer", "minimum": 0, "maximum": 9}},
        "required": ["x"],
    },
    strict=True,
)
OBJECTS = CallShapes(
    call=lambda tool: (
        Literal(f'{{"name": "{tool.name}", "parameters": '),
        Json(tool.parameters),
        Literal("}"),
    ),
    between=(Literal("; "),),
)
NUMBERED = CallShapes(
    call=lambda tool: (
        Literal(f"[CALL]{tool.name}#"),
        Id("[a-z0-9]{3}"),
        Literal(":"),
        Json(tool.parameters),
    ),
    before=(Literal("[CALLS]"),),
    after=(Literal("[END]"),),
)
TAGS = CallShapes(
    call=lambda tool: (
        Literal(f"<tool_call>\n<function={tool.name}>\n<parameter=city>\n"),
        Until("\n</parameter>"),
        Literal("\n</parameter>\n"),
        Maybe((Literal("<n>"), Json({"type": "integer"}), Literal("</n>\n"))),
        Literal("</function>\n</tool_call>"),
    )
)
NAMES = CallShapes(call=lambda tool: (Literal(f"{tool.name}\n"), Json(tool.parameters)))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(None, EngineParams(n_ctx=2048, n_parallel=4, n_threads=1)) as engine:
        yield engine


def hermes(name: str, arguments: str) -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


def plain(name: str, arguments: str) -> str:
    return f'{{"name": "{name}", "parameters": {arguments}}}'


PARIS, TWO = '{"city": "Paris", "unit": "C"}', '{"x": 2}'
ONE = hermes("add", TWO)
BOTH = f"{hermes('weather', PARIS)}\n{ONE}"


@pytest.mark.parametrize(
    ("shapes", "options", "fits", "fits_not"),
    [
        (
            HERMES_SHAPES,
            {"required": True, "parallel": False},
            (ONE, hermes("weather", PARIS)),
            ("", "a", f"a {ONE}", f"{ONE} a", BOTH, hermes("sub", TWO), hermes("add", PARIS)),
        ),
        (HERMES_SHAPES, {"required": True, "parallel": True}, (ONE, BOTH), (f"{BOTH}\n", "")),
        (
            HERMES_SHAPES,
            {"required": False, "parallel": True},
            ("", "Hello <tool_response> <", f"a {ONE} b", BOTH, f"{ONE} and {ONE}"),
            (f"a {hermes('add', PARIS)}", "a <tool_call>\n{", hermes("sub", TWO)),
        ),
        (
            OBJECTS,
            {"required": False, "parallel": True},
            ("a {", "", f"Now {plain('add', TWO)}; {plain('add', TWO)} b", '{"x": 3}'),
            (f"a {plain('add', PARIS)}", 'a {"name": "sub"', plain("sub", TWO)),
        ),
        (
            OBJECTS,
            {"required": False, "parallel": False, "content": '{"type":"integer"}'},
            ("12", plain("add", TWO)),
            ("a", "", "true", plain("sub", TWO)),
        ),
        (
            OBJECTS,
            {
                "required": False,
                "parallel": False,
                "content": '{"properties":{"a":{"type":"integer","nullable":true}}}',
            },
            ('{"a": 1}', '{"a":null}', plain("add", TWO)),
            ('{"a":  1}', '{"a":1,"b":2}', '{"a":"1"}'),
        ),
        (
            NUMBERED,
            {"required": True, "parallel": True},
            (
                f"[CALLS][CALL]add#a1b:{TWO}[END]",
                f"[CALLS][CALL]add#a1b:{TWO}[CALL]add#000:{TWO}[END]",
            ),
            (f"[CALLS][CALL]add#A1b:{TWO}[END]", f"[CALLS][CALL]add#a1b:{TWO}"),
        ),
        (
            TAGS,
            {"required": True, "parallel": False},
            (
                "<tool_call>\n<function=add>\n<parameter=city>\nNew\nYork <b\n</parameter>\n"
                "</function>\n</tool_call>",
                "<tool_call>\n<function=add>\n<parameter=city>\nRome\n</parameter>\n<n>7</n>\n"
                "</function>\n</tool_call>",
            ),
            (
                "<tool_call>\n<function=add>\n<parameter=city>\nRome\n</parameter>\n<n>x</n>\n"
                "</function>\n</tool_call>",
            ),
        ),
    ],
)
def test_whole_outputs(
    engine: Engine,
    shapes: CallShapes,
    options: dict[str, Any],
    fits: tuple[str, ...],
    fits_not: tuple[str, ...],
) -> None:
    grammar = engine.constraints.calls(shapes, [WEATHER, ADD], **options)
    compiled = engine.constraints.compile(GenerationParams(grammar=grammar))
    assert compiled is not None
    for text in (*fits, *fits_not):
        tokens = engine.model.tokenizer.encode(text, add_special=False)
        n, may_end, error = compiled.walk(tokens)
        assert (n == len(tokens) and may_end) == (text in fits), text
        assert error is None


def test_nothing_tells_bare_names_from_text(engine: Engine) -> None:
    assert engine.constraints.calls(NAMES, [WEATHER, ADD], required=False, parallel=True) == ""
    assert engine.constraints.calls(NAMES, [WEATHER, ADD], required=True, parallel=True)


class Marking:
    """A tokenizer of bytes and some control tokens, as llguidance takes one."""

    bos_token_id = None

    def __init__(self, marks: Sequence[str]) -> None:
        self.marked = {mark: 256 + i for i, mark in enumerate(marks)}
        self.tokens = [bytes([i]) for i in range(256)] + [mark.encode() for mark in marks]
        self.eos_token_id = len(self.tokens)
        self.tokens.append(b"<eos>")
        self.special_token_ids = [*self.marked.values(), self.eos_token_id]

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)

    def takes(self, grammar: str, text: str) -> bool:
        """Whether an output may begin like this."""
        matcher = LLMatcher(LLTokenizer(TokenizerWrapper(self)), grammar)
        tokens: list[int] = []
        while text:
            mark = next((mark for mark in self.marked if text.startswith(mark)), "")
            tokens += [self.marked[mark]] if mark else text[0].encode()
            text = text[len(mark) or 1 :]
        assert not matcher.get_error()
        return int(matcher.try_consume_tokens(tokens)) == len(tokens)


HARMONY_MARKS = ("<|channel|>", "<|message|>", "<|call|>", "<|start|>", "<|constrain|>", "<|end|>")
HARMONY_CALL = "<|channel|>commentary to=functions.add <|constrain|>json<|message|>"


@pytest.mark.parametrize(
    ("name", "marks", "fits", "fits_not"),
    [
        (
            "harmony",
            HARMONY_MARKS,
            (
                "<|channel|>final<|message|>Hi",
                "<|channel|>analysis<|message|>Hi<|end|><|start|>assistant<|channel|>final",
                "<|channel|>commentary<|message|>Hi<|end|>",
                f"<|channel|>analysis<|message|>Hi<|end|><|start|>assistant{HARMONY_CALL}{TWO}",
            ),
            (f"{HARMONY_CALL}{PARIS}", f"{HARMONY_CALL}Hi"),
        ),
        (
            "deepseek-v4",
            ("｜DSML｜",),
            ("if a < b", '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="add">'),
            ("<｜DSML｜other",),
        ),
        (
            "gigachat-3",
            ("<|message_sep|>", "<|role_sep|>"),
            ("Hi<|message_sep|>", f"function call<|role_sep|>\n{ONE[12:-12]}"),
            ("function call<|role_sep|>\n{}",),
        ),
        ("hermes", ("<tool_call>",), ("a < b", "<tool_call>\n{"), ("<tool_call>a",)),
    ],
)
def test_a_call_is_told_by_what_nothing_else_has(
    name: str, marks: tuple[str, ...], fits: tuple[str, ...], fits_not: tuple[str, ...]
) -> None:
    shapes = next(format_.shapes for format_ in FORMATS if format_.name == name)
    assert shapes is not None
    tokenizer = Marking(marks)
    grammar = call_grammar(shapes, [ADD], required=False, parallel=True, marked=tokenizer.marked)
    for text in (*fits, *fits_not):
        assert tokenizer.takes(grammar, text) == (text in fits), text


@pytest.mark.parametrize("name", ["kimi-k3", "chatglm", "functionary-v3.2"])
def test_where_nothing_tells_calls_they_are_free(name: str) -> None:
    shapes = next(format_.shapes for format_ in FORMATS if format_.name == name)
    assert shapes is not None
    marked = {"<|open|>": 300, "<|close|>": 301, "<|sep|>": 302}
    for tools in ([ADD], [Tool("search_web", strict=True), Tool("search_docs", strict=True)]):
        grammar = call_grammar(shapes, tools, required=False, parallel=True, marked=marked)
        assert grammar == ""


def test_reasoning_may_be_opened_before_calls_and_answers() -> None:
    harmony = next(format_ for format_ in FORMATS if format_.name == "harmony")
    assert harmony.shapes is not None
    assert harmony.reasoning is not None
    tokenizer, own = Marking(HARMONY_MARKS), harmony.reasoning
    options: dict[str, Any] = {"marked": tokenizer.marked, "parallel": False}
    for is_open in (False, True):
        options |= {"lead": own.lead(is_open=is_open), "may_lead": not is_open}
        lead = "" if is_open else own.opening
        led = f"{lead}{own.resumed}"
        forced = call_grammar(harmony.shapes, [ADD], required=True, **options)
        assert tokenizer.takes(forced, f"{led}{HARMONY_CALL}{TWO}")
        assert tokenizer.takes(forced, f"{HARMONY_CALL}{TWO}") is not is_open
        assert not tokenizer.takes(forced, f"{led}{own.answer}")
        for tools in ((), [ADD]):
            answer = call_grammar(
                harmony.shapes,
                tools,
                required=False,
                content='{"enum":[7]}',
                answer=own.answer,
                **options,
            )
            assert tokenizer.takes(answer, f"{led}{own.answer}7")
            assert tokenizer.takes(answer, f"{led}{HARMONY_CALL}{TWO}") is bool(tools)
            assert not tokenizer.takes(answer, f"{led}7")
            for unled in ("7", f"{own.answer}7"):
                assert tokenizer.takes(answer, unled) is not is_open


def test_forced_calls(engine: Engine) -> None:
    grammar = engine.constraints.calls(HERMES_SHAPES, [WEATHER, ADD], required=True, parallel=False)
    for seed in range(8):
        result = engine.generate(
            "Hello", grammar=grammar, temperature=1.0, seed=seed, n_predict=150
        )
        assert result.finish_reason is FinishReason.EOG
        text = result.text.replace("<tool_call>", "").replace("</tool_call>", "")
        call = json.loads(text)
        assert call["name"] in ("weather", "add")
        assert set(call["arguments"]) == ({"city", "unit"} if call["name"] == "weather" else {"x"})


def test_calls_after_reasoning(engine: Engine) -> None:
    grammar = engine.constraints.calls(HERMES_SHAPES, [ADD], required=True, parallel=False)
    params = GenerationParams(grammar=grammar, constrained_after="</think>")
    compiled = engine.constraints.compile(params)
    assert compiled is not None
    for text, whole in ((f"hm</think>\n\n{ONE}", True), (f"</think>{ONE}", True), (ONE, False)):
        tokens = engine.model.tokenizer.encode(text, add_special=False)
        n, may_end, _ = compiled.walk(tokens)
        assert (n == len(tokens) and may_end) == whole, text


def test_schemas_that_cannot_be_kept_to(engine: Engine) -> None:
    """They are refused where a tool is strict, else kept to as far as that can be."""
    schema = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
    for strict in (True, False):
        tool = Tool("t", parameters=schema, strict=strict)
        grammar = engine.constraints.calls(HERMES_SHAPES, [tool], required=True, parallel=False)
        if strict:
            with pytest.raises(InvalidRequest, match="uniqueItems"):
                engine.constraints.compile(GenerationParams(grammar=grammar))
        else:
            assert engine.constraints.compile(GenerationParams(grammar=grammar)) is not None


def test_grammars_of_calls_have_room_for_large_schemas(engine: Engine) -> None:
    """Those that a request brings have less."""
    schema = {"type": "object", "properties": {f"p{i}": {"type": "integer"} for i in range(700)}}
    tool = Tool("t", parameters=schema, strict=True)
    grammar = engine.constraints.calls(OBJECTS, [tool], required=True, parallel=False)
    text = '{"name": "t", "parameters": {"p3":1,"p600":2}}'
    tokens = engine.model.tokenizer.encode(text, add_special=False)
    for source, fits in ((grammar, True), (grammar + "\n", False)):
        compiled = engine.constraints.compile(GenerationParams(grammar=source))
        assert compiled is not None
        n, _, error = compiled.walk(tokens)
        assert (n == len(tokens), error is None) == (fits, fits)


def test_a_turn_takes_the_generic_shapes_for_arguments_that_its_format_cannot_force(
    engine: Engine,
) -> None:
    names = Tool("names", parameters={"additionalProperties": {"type": "integer"}})
    for tools, format_ in (([ADD], QWEN_CODER), ([ADD, names], GENERIC)):
        turn = Turn.begin(QWEN_CODER, tool_use(tools, "required"), engine.constraints, None)
        assert turn.format is format_
    compiled = engine.constraints.compile(turn.params(GenerationParams()))
    assert compiled is not None
    for arguments, fits in (('{"a": 1, "b": 2}', True), ('{"a": "x"}', False)):
        tokens = engine.model.tokenizer.encode(hermes("names", arguments), add_special=False)
        n, may_end, _ = compiled.walk(tokens)
        assert (n == len(tokens) and may_end) == fits


@pytest.mark.parametrize("schema", [{}, {"properties": {"x": {}}}, {"description": "any"}])
def test_arguments_are_an_object(engine: Engine, schema: dict[str, Any]) -> None:
    tool = Tool("add", parameters=schema)
    grammar = engine.constraints.calls(HERMES_SHAPES, [tool], required=True, parallel=False)
    compiled = engine.constraints.compile(GenerationParams(grammar=grammar))
    assert compiled is not None
    for arguments in (TWO, "2", '"x"', "null"):
        tokens = engine.model.tokenizer.encode(hermes("add", arguments), add_special=False)
        n, may_end, _ = compiled.walk(tokens)
        assert (n == len(tokens) and may_end) == (arguments == TWO)
