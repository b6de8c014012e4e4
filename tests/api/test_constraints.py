"""What outputs can be held to, and how what cannot be is refused."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import math
import random
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llamabox import (
    Conversation,
    Engine,
    EngineParams,
    FinishReason,
    GenerationParams,
    IncompatibleLibrary,
    InvalidRequest,
    NoTokenLeft,
)
from llamabox.api import constraints as constraints_module
from llamabox.api.constraints import MAX_LARK_ITEMS, MAX_LARK_JSON_ITEMS, ConstraintCompiler
from llamabox.api.gate import Gate
from llamabox.api.schemas import prepared
from tests.api.schema_cases import CASES, REFUSED

PROMPT = "The answer is"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(None, EngineParams(n_ctx=2048, n_parallel=4, n_threads=1)) as engine:
        yield engine


def fits(engine: Engine, text: str, **constraint: str) -> bool:
    compiled = engine.constraints.compile(GenerationParams(**constraint))
    tokens = engine.model.tokenizer.encode(text, add_special=False, parse_special=False)
    assert compiled is not None
    n, may_end, error = compiled.walk(tokens)
    assert error is None
    return n == len(tokens) and may_end


@pytest.mark.parametrize(("keyword", "schema", "valid", "invalid"), CASES)
def test_keywords(
    engine: Engine, keyword: str, schema: Any, valid: tuple[str, ...], invalid: tuple[str, ...]
) -> None:
    source = json.dumps(schema)
    for text in valid:
        assert fits(engine, text, json_schema=source), (keyword, text)
    for text in invalid:
        assert not fits(engine, text, json_schema=source), (keyword, text)


@pytest.mark.parametrize(("named", "schema"), REFUSED)
def test_what_cannot_be_kept_to_is_refused_by_name(engine: Engine, named: str, schema: Any) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(named)) as error:
        engine.generate(PROMPT, json_schema=json.dumps(schema))
    assert error.value.param == "json_schema"
    assert str(error.value).startswith("json_schema: ")


def test_properties_keep_their_order_and_spaces_are_bounded(engine: Engine) -> None:
    schema = json.dumps(
        {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "integer"}}}
    )
    for text in ('{"b": 1, "a": 2}', '{\n  "b": 1,\n  "a": 2\n}', '{"b":1,"a":2}'):
        assert fits(engine, text, json_schema=schema)
    for text in ('{"a":2,"b":1}', '{"b":  1}', '{"b":1\n\n}', ' {"b":1}', '{"b":1} '):
        assert not fits(engine, text, json_schema=schema)


def test_objects_that_are_combined_stay_open(engine: Engine) -> None:
    """Closing both of them would leave no value."""
    a = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    b = {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]}
    both = {"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": {"a": a, "b": b}}
    assert fits(engine, '{"a":1,"b":2}', json_schema=json.dumps(both))
    beside = {**a, "anyOf": [b, {"type": "object"}]}
    assert fits(engine, '{"a":1,"b":2}', json_schema=json.dumps(beside))
    either = {"anyOf": [a, b]}
    assert not fits(engine, '{"a":1,"c":2}', json_schema=json.dumps(either))


@pytest.mark.parametrize(
    ("constraint", "pattern"),
    [
        ({"regex": r"[a-z]{3}/[0-9]{2}\n"}, r"[a-z]{3}/[0-9]{2}\n"),
        ({"grammar": 'root ::= ("yes" | "no") "."'}, r"(yes|no)\."),
        ({"grammar": '%llguidance {}\nstart: ("yes" | "no") "."'}, r"(yes|no)\."),
        ({"json_schema": '{"enum":["a/b",7]}'}, r'"a/b"|7'),
        ({"regex": "[0-9]{2}/x", "constrained_after": "."}, r"[^.]*\.\s{0,4}[0-9]{2}/x"),
        ({"json_schema": '{"enum":[7]}', "constrained_after": " a"}, r"(?s:.*?) a\s{0,4}7"),
        (
            {"grammar": '%llguidance {}\nstart: "yes"', "constrained_after": "."},
            r"[^.]*\.\s{0,4}yes",
        ),
    ],
)
def test_outputs_keep_to_it(engine: Engine, constraint: dict[str, str], pattern: str) -> None:
    for seed in range(3):
        result = engine.generate(PROMPT, seed=seed, n_predict=200, **constraint)
        assert result.finish_reason.name == "EOG"
        assert re.fullmatch(pattern, result.text), result.text


def test_after_a_control_token(engine: Engine) -> None:
    """The packaged vocabulary has a token for it."""
    params = GenerationParams(json_schema='{"enum":[7]}', constrained_after="</think>")
    compiled = engine.constraints.compile(params)
    assert compiled is not None
    for text, whole in (("hm {</think>\n\n7", True), ("<tool_call></think>7", True), ("7", False)):
        tokens = engine.model.tokenizer.encode(text, add_special=False)
        n, may_end, _ = compiled.walk(tokens)
        assert (n == len(tokens), may_end) == (True, whole)


def test_choices_and_drafts_keep_to_it_by_themselves() -> None:
    """Each output has a matcher of its own, which only output tokens advance."""
    schema = json.dumps({"type": "array", "items": {"enum": ["one", "two", 3]}, "minItems": 12})
    params = GenerationParams(json_schema=schema, temperature=0.7, n_predict=80)
    plain = EngineParams(n_ctx=512, n_parallel=4, n_threads=1, flash_attention="off", n_draft_max=0)
    outputs = []
    for sizes in (plain, plain.replace(n_draft_max=8, lookup_ngram_min=1)):
        with Engine(None, sizes) as engine:
            outputs.append(
                [c.text for c in engine.generate_choices(PROMPT, params.replace(seed=5), n=4)]
            )
    assert len(set(outputs[0])) > 1
    assert outputs[0] == outputs[1]


def test_what_a_shared_definition_refers_to_is_shared() -> None:
    """However long the chain is, and in whatever order it comes."""
    n = 3000
    objects = {"type": "object", "properties": {"a": {"type": "integer"}}}
    chain = {f"d{i}": {"properties": {"x": {"$ref": f"#/$defs/d{i - 1}"}}} for i in range(1, n)}
    definitions = {"d0": objects, **chain}
    last = {"$ref": f"#/$defs/d{n - 1}"}
    made = prepared({"$defs": definitions, "allOf": [last, {"type": "object"}]})
    assert "additionalProperties" not in made["$defs"]["d0"]
    made = prepared({"$defs": definitions, **last})
    assert made["$defs"]["d0"]["additionalProperties"] is False


def test_gbnf_is_tried_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(constraints_module, "try_grammar", lambda *args: tried.append(args[-1]))
    params = GenerationParams(grammar='root ::= "tried"')
    for _ in range(3):
        assert engine.constraints.compile(params) is None
    assert tried == [params.grammar]


def test_what_is_compiled_is_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = engine.constraints
    params = [GenerationParams(regex=f"a{{{i}}}") for i in range(1, 9)]
    first = compiler.compile(params[0])
    assert compiler.compile(dataclasses.replace(params[0], seed=3)) is first
    assert compiler.has(params[0])
    monkeypatch.setattr(constraints_module, "MAX_ENTRIES", 4)
    for each in params[1:]:
        compiler.compile(each)
    assert not compiler.has(params[0])
    assert all(compiler.has(each) for each in params[-4:])


def test_it_is_compiled_off_the_event_loop(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    compile_ = engine.constraints._compile
    monkeypatch.setattr(
        engine.constraints,
        "_compile",
        lambda key: (threads.append(threading.current_thread()), compile_(key))[1],
    )
    result = asyncio.run(engine.agenerate(PROMPT, regex="ab{3}c"))
    assert result.text == "abbbc"
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


def test_without_llguidance_gbnf_is_left(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    compiler = ConstraintCompiler(engine.model, Gate())
    assert compiler.compile(GenerationParams(grammar='root ::= "a"')) is None
    for _ in range(2):
        with pytest.raises(IncompatibleLibrary, match="llguidance cannot be imported"):
            compiler.compile(GenerationParams(regex="a"))


def test_answers_beside_calls_are_constrained_off_the_event_loop(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of them waits for the vocabulary."""
    threads = []
    read = engine.constraints._vocab
    monkeypatch.setattr(
        engine.constraints,
        "_vocab",
        lambda: (threads.append(threading.current_thread()), read())[1],
    )
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}

    async def run() -> None:
        prompt = await engine.prepare_chat([{"role": "user", "content": "Hi"}], tools=[tool])
        await engine.constrain(GenerationParams(json_schema='{"const": 7}'), prompt)

    asyncio.run(run())
    assert threads
    assert threading.main_thread() not in threads


@pytest.mark.parametrize("n", [None, 2])
def test_a_schema_beside_calls_is_written_and_compiled_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, n: int | None
) -> None:
    """And not on the event loop."""
    work = []
    for name in ("calls", "_compile"):
        monkeypatch.setattr(engine.constraints, name, recorded(engine.constraints, name, work))
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    hi = Conversation(messages=[{"role": "user", "content": "Hi"}], tools=[tool])
    schema = json.dumps({"const": f"with {n} choices"})
    if n is None:
        asyncio.run(engine.agenerate(hi, json_schema=schema, n_predict=2))
    else:
        asyncio.run(engine.agenerate_choices(hi, n=n, json_schema=schema, n_predict=2))
    assert [name for name, _ in work] == ["calls", "_compile"]
    assert threading.main_thread() not in [thread for _, thread in work]


def recorded(
    compiler: ConstraintCompiler, name: str, work: list[tuple[str, threading.Thread]]
) -> Callable[..., object]:
    method = getattr(compiler, name)

    def record(*args: object, **options: object) -> object:
        work.append((name, threading.current_thread()))
        return method(*args, **options)

    return record


BUSHY = 'root ::= "y" a0\na40 ::= "x" | ""\n' + "\n".join(
    f"a{i} ::= (a{i + 1}) a{i + 1}*" for i in range(40)
)
"""A small grammar of 2 ** 40 stacks behind its first character."""

DOUBLING = 'root ::= s\ns ::= "a" s "b" | "a" s "c"'
"""Twice the stacks behind each character."""

MALFORMED: tuple[dict[str, str], ...] = (
    {"json_schema": "{"},
    {"json_schema": "[" * 100_000},
    {"json_schema": '{"items":' * 90 + "{}" + "}" * 90 + "x"},
    {"json_schema": '{"items":' * 3000 + "{}" + "}" * 3000},
    {"json_schema": '{"const":"' + "x" * 2_000_000 + '"}'},
    {"json_schema": json.dumps({"anyOf": [{"$ref": "#/$defs/a"}] * 5000, "$defs": {"a": {}}})},
    {"json_schema": json.dumps({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}}})},
    {"json_schema": '{"type":"string","pattern":"' + "(" * 5000 + '"}'},
    {"regex": "("},
    {"regex": "(" * 5000 + ")" * 5000},
    {"regex": "[a-"},
    {"regex": "(?<=a)b"},
    {"regex": r"(a)\1"},
    {"regex": "\0"},
    {"grammar": "root := x"},
    {"grammar": "root ::= root"},
    {"grammar": 'root ::= ("a"?){1,200}'},
    {"grammar": BUSHY},
    {"grammar": DOUBLING},
    {"grammar": 'root ::= "a"{' + " " * 100_000 + "x"},
    {"grammar": 'root ::= "a"{' + "1" * 5000 + "}"},
    {"grammar": "root ::= [" + "ab" * 5000 + "]{2000}"},
    {"grammar": "root ::= " + '"a" | ' * 200_000 + '"b"'},
    {"grammar": "root ::= " + "(" * 5000 + '"a"' + ")" * 5000},
    {"grammar": '%llguidance {}\nstart: "a'},
    {"grammar": "%llguidance {}\nstart: x"},
    {"grammar": "%llguidance {}\nstart: " + "(" * 5000 + '"a"' + ")" * 5000},
    {"grammar": "%llguidance {\nstart: x"},
    {"grammar": 'root ::= "a"', "constrained_after": "b"},
    {"json_schema": "{}", "regex": "a"},
    {"json_schema": "{}", "grammar": 'root ::= "a"'},
)


@pytest.mark.parametrize("constraint", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_wrong_is_refused_in_time(engine: Engine, constraint: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as error:
        engine.generate(PROMPT, n_predict=4, **constraint)
    assert error.value.param in constraint


def test_stacks_that_double_after_the_trial_end_one_request(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constraints_module, "try_grammar", lambda *args: None)
    with pytest.raises(NoTokenLeft):
        engine.generate(PROMPT, n_predict=100, grammar=DOUBLING + " ")
    assert engine.generate(PROMPT, n_predict=1).n_output == 1


def referring(n: int, schema: str) -> str:
    """A schema of `n` definitions, each with a reference, REF, to the one before."""
    references = [f'{{"$ref":"#/$defs/d{i}"}}' for i in range(n)]
    definitions = [f'"d{i + 1}":{schema.replace("REF", each)}' for i, each in enumerate(references)]
    return f'{{"$defs":{{"d0":{{}},{",".join(definitions)}}},"$ref":"#/$defs/d{n}"}}'


def a_rule_for_each(n: int) -> str:
    return "".join(f'a{i}: "x" a{i + 1}\n' for i in range(n))


LARGE: tuple[dict[str, str], ...] = (
    {"json_schema": '{"type":"array","items":{"type":"integer"},"maxItems":1000000}'},
    {"json_schema": '{"type":"string","maxLength":1000000}'},
    {"json_schema": '{"type":"string","pattern":"a{1,1000000}"}'},
    {"json_schema": '{"type":"string","pattern":"((a{1,1000}){1,1000}){1,1000}b"}'},
    {"json_schema": json.dumps({"enum": [f"value {i}" for i in range(20_000)]})},
    {
        "json_schema": json.dumps(
            {"type": "object", "properties": {f"p{i}": {"type": "integer"} for i in range(5000)}}
        )
    },
    {"json_schema": referring(3000, '{"properties":{"x":REF}}')},
    {"json_schema": referring(3000, '{"anyOf":[REF,{"type":"null"}]}')},
    {"json_schema": referring(900, '{"items":' * 40 + "REF" + "}" * 40)},
    {"grammar": "%llguidance {}\nstart: %json " + referring(3000, '{"properties":{"x":REF}}')},
    {"grammar": "%llguidance {}\nstart: a0\n" + a_rule_for_each(20_000) + 'a20000: "x"'},
    {
        "json_schema": json.dumps(
            {"allOf": [{"pattern": f"a.*{c}"} for c in "abcdefghijklmnop" * 2]}
        )
    },
    {
        "json_schema": json.dumps(
            {
                "$defs": {c: {"pattern": f"a.*{c}"} for c in "abcdefghijklmnopqrstuvwx"},
                "allOf": [{"$ref": f"#/$defs/{c}"} for c in "abcdefghijklmnopqrstuvwx"],
            }
        )
    },
    {"regex": "a{1,1000000}"},
    {"regex": "(a|b)*a(a|b){20}c"},
    {"grammar": "root ::= [a-z]{1,1000}"},
)


@pytest.mark.parametrize("constraint", LARGE, ids=range(len(LARGE)))
def test_what_is_large_is_kept_to_or_refused(engine: Engine, constraint: dict[str, str]) -> None:
    with contextlib.suppress(InvalidRequest):
        engine.generate(PROMPT, n_predict=8, **constraint)


@pytest.mark.parametrize(
    ("regex", "is_banned", "text"), [("abc", False, "abc"), ("a?", True, ""), ("(ab)*", True, "")]
)
def test_no_token_is_left_where_a_constraint_is_fulfilled(
    engine: Engine, regex: str, is_banned: bool, text: str
) -> None:
    banned = tuple((token, -math.inf) for token in range(engine.model.n_vocab)) if is_banned else ()
    output = engine.generate(PROMPT, regex=regex, ignore_eos=True, logit_bias=banned)
    assert (output.text, output.finish_reason) == (text, FinishReason.EOG)


def test_a_constraint_whose_tokens_are_all_banned(engine: Engine) -> None:
    banned = tuple((token, -math.inf) for token in range(engine.model.n_vocab))
    with pytest.raises(NoTokenLeft, match="constraint"):
        engine.generate(PROMPT, regex="a", logit_bias=banned)


def test_no_word_makes_room_for_more_ambiguity(engine: Engine) -> None:
    ambiguous = '%llguidance {}\nstart: s\ns: "a" | s s | s s s\n'
    tokens = engine.model.tokenizer.encode("a" * 2000, add_special=False)
    for comment in ("# yaml", "# json", "# %json"):
        compiled = engine.constraints.compile(GenerationParams(grammar=ambiguous + comment))
        assert compiled is not None
        _, _, error = compiled.walk(tokens)
        assert str(MAX_LARK_JSON_ITEMS if "%" in comment else MAX_LARK_ITEMS) in (error or "")


def test_random_text_never_ends_the_process(engine: Engine) -> None:
    rng = random.Random(7)
    sources = {
        "json_schema": list('{}[]",:0123 truefalsenull"type""items""$ref""#""anyOf""enum"'),
        "regex": list(r"ab()[]{}*+?|\.^$-,0123:=<>!&~"),
        "grammar": ["root", " ::= ", '"a"', "(", ")", "|", "*", "[a-z]", "{2,5}", "\n", "x", "%"],
    }
    n_taken = 0
    for i in range(300):
        field = rng.choice(list(sources))
        text = "".join(rng.choices(sources[field], k=rng.randrange(1, 40)))
        if field == "grammar" and i % 2:
            text = "%llguidance {}\nstart: " + text.replace("root ::= ", "")
        with contextlib.suppress(InvalidRequest):
            engine.constraints.compile(GenerationParams(**{field: text}))
            n_taken += 1
    assert n_taken > 0
    assert engine.generate(PROMPT, n_predict=1).n_output == 1
