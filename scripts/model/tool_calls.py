"""One use of a tool: its schema, its arguments, its result and the sentences around it."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from corpus_repeat import arbitrary_text
from tool_families import FAMILIES, Slot, ToolFamily
from words import (
    ADJECTIVES,
    CITIES,
    COMMON_WORDS,
    COUNTRIES,
    FIRST_NAMES,
    FOODS,
    THINGS,
    TOPICS,
    invented_name,
    invented_word,
)
from world import PEOPLE

_SKIES = ["sunny", "cloudy", "rainy", "windy", "foggy", "snowy", "clear", "stormy"]
_ROOMS = ["kitchen", "bedroom", "garden", "bathroom", "living room", "hall", "cellar"]
_LANGUAGES = ["French", "German", "Spanish", "Italian", "Dutch", "Greek", "Polish", "Latin"]
_VERBS = (
    "make open find get check close move start stop show paint count clean read load save delete "
    "update create book call"
).split()
_STREETS = sorted({person.street for person in PEOPLE})
_MONTHS = "January February March April May June July August September October November".split()


@dataclass(kw_only=True)
class ToolUse:
    """Everything that a chat with one tool call needs."""

    schema: dict[str, Any]
    name: str
    arguments: dict[str, Any]
    request: str
    result: str
    answer: str
    family: ToolFamily | None = None


def _phrase(rng: random.Random) -> str:
    """Return a few words without end punctuation."""
    words = [
        rng.choice(COMMON_WORDS) if rng.random() < 0.75 else invented_word(rng)
        for _ in range(rng.randint(1, 6))
    ]
    text = " ".join(words)
    return text.capitalize() if rng.random() < 0.5 else text


def _sum_text(rng: random.Random) -> str:
    sign = rng.choice("+-*/")
    left, right = rng.randint(1, 10 ** rng.randint(1, 3)), rng.randint(1, 99)
    return f"{left} {sign} {right}" if rng.random() < 0.8 else f"{left}{sign}{right}"


def _fact(rng: random.Random) -> str:
    return f"The {rng.choice(THINGS)} is {rng.choice(ADJECTIVES)} and {rng.choice(ADJECTIVES)}."


def _value(rng: random.Random, source: str, known: dict[str, Any]) -> Any:
    """Draw a value from a named source; known holds the arguments drawn so far."""
    kind, *slots = source.split(":")
    if slots:
        given = [known[slot] for slot in slots]
        return {
            "sum": lambda: given[0] + given[1], "product": lambda: given[0] * given[1],
            "length": lambda: len(given[0]),
        }[kind]()
    if kind in ("city", "person", "thing", "country") and rng.random() < 0.22:
        return invented_word(rng) if kind == "thing" else invented_name(rng)
    lists = {
        "city": CITIES, "person": FIRST_NAMES, "thing": THINGS, "country": COUNTRIES,
        "food": FOODS, "sky": _SKIES, "room": _ROOMS, "language": _LANGUAGES,
        "onoff": ["on", "off"], "street": _STREETS, "job": [p.job for p in PEOPLE],
        "done": ["ok", "done", "success", "sent", "started", "true"],
    }
    if kind in lists:
        return rng.choice(lists[kind])
    makers = {
        "temperature": lambda: rng.randint(-9, 38), "small": lambda: rng.randint(1, 30),
        "number": lambda: rng.randint(0, 10 ** rng.randint(1, 4)),
        "big": lambda: rng.randint(100, 10 ** rng.randint(3, 7)),
        "price": lambda: rng.randint(1, 200), "phrase": lambda: _phrase(rng),
        "clock": lambda: f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}",
        "date": lambda: f"{rng.randint(1, 28)} {rng.choice(_MONTHS)} {rng.randint(1990, 2040)}",
        "expression": lambda: _sum_text(rng), "fact": lambda: _fact(rng),
        "sentence": lambda: _fact(rng) if rng.random() < 0.5 else arbitrary_text(rng, long=False),
        "topic": lambda: rng.choice(TOPICS) if rng.random() < 0.6 else _phrase(rng),
        "invented": lambda: invented_word(rng),
        "file": lambda: invented_word(rng) + rng.choice((".txt", ".md", ".py", ".json", ".csv")),
    }
    return makers[kind]()


def _json_type(value: Any) -> str:
    return "integer" if isinstance(value, int) else "string"


def _number_type(rng: random.Random, value: Any) -> str:
    """Return the schema type of a value; an integer may also be called a number."""
    kind = _json_type(value)
    return "number" if kind == "integer" and rng.random() < 0.4 else kind


def _schema(
    rng: random.Random, name: str, about: str, keyed: list[tuple[Slot, str, Any]]
) -> dict[str, Any]:
    """Return the OpenAI-style description of a tool with the given argument keys."""
    properties: dict[str, Any] = {}
    detailed = rng.random() < 0.45
    for slot, key, value in keyed:
        properties[key] = {"type": _number_type(rng, value)}
        if detailed:
            noun = rng.choice((slot.slot, key, slot.source)).replace("_", " ")
            properties[key]["description"] = rng.choice(
                (f"The {noun}", f"The {noun}.", noun.capitalize(), f"the {noun} to use",
                 f"{noun.capitalize()}, e.g. {value}" if rng.random() < 0.2 else f"The {noun}")
            )
        elif slot.source == "onoff" and rng.random() < 0.5:
            properties[key]["enum"] = ["on", "off"]
    required = [key for _, key, _ in keyed]
    if _takes_one_city(keyed) and rng.random() < 0.25:
        properties["unit"] = {"type": "string", "enum": ["celsius", "fahrenheit"]}
    parameters: dict[str, Any] = {"type": "object", "properties": properties}
    if required and rng.random() < 0.85:
        parameters["required"] = required
    if rng.random() < 0.08:
        parameters["additionalProperties"] = False
    function = {"name": name, "description": about, "parameters": parameters}
    if rng.random() < 0.08:
        del function["description"]
    return {"type": "function", "function": function}


def _takes_one_city(keyed: list[tuple[Slot, str, Any]]) -> bool:
    """Return whether the tool takes just one city."""
    return len(keyed) == 1 and keyed[0][0].source == "city"


def _result_text(rng: random.Random, outs: list[tuple[Slot, str, Any]], args: dict) -> str:
    """Return what the tool reports: JSON, a bare value, or "key: value" pairs."""
    values = {key: value for _, key, value in outs}
    roll = rng.random()
    if len(values) == 1 and roll < 0.3:
        return str(next(iter(values.values())))
    if roll < 0.4:
        return ", ".join(f"{key}: {value}" for key, value in values.items())
    if roll < 0.5:
        return " and ".join(str(value) for value in values.values())
    if roll < 0.75:
        extra = {key: value for key, value in args.items() if key not in values}
        values = {**extra, **values} if rng.random() < 0.7 else {**values, **extra}
    if rng.random() < 0.2:
        return json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    return json.dumps(values, ensure_ascii=False)


def use_tool(rng: random.Random, family: ToolFamily | None = None) -> ToolUse:
    """Draw a tool of one family, a request that needs it, and what follows."""
    family = family or rng.choice(FAMILIES + FAMILIES[:3])
    name = rng.choice(family.name)
    if rng.random() < 0.06:
        name = invented_word(rng) + "_" + name
    known: dict[str, Any] = {}
    keyed: list[tuple[Slot, str, Any]] = []
    for slot in family.args:
        value = _value(rng, slot.source, known)
        known[slot.slot] = value
        used = {key for _, key, _ in keyed}
        keyed.append((slot, rng.choice([key for key in slot.keys if key not in used]), value))
    arguments = {key: value for _, key, value in keyed}
    outs = [(s, rng.choice(s.keys), _value(rng, s.source, known)) for s in family.outs]
    slots = {**known, **{slot.slot: value for slot, _, value in outs}}
    request = rng.choice(family.ask).format(**slots)
    if rng.random() < 0.05:
        request = f"Use {name}. " + request
    result, answer = _result_text(rng, outs, arguments), rng.choice(family.answer).format(**slots)
    if rng.random() < 0.04:
        reason = rng.choice(("not found", "no connection", "it took too long", _phrase(rng)))
        result = json.dumps({"error": reason})
        answer = f"I am sorry, the tool reported an error: {reason}."
    answer = answer[0].upper() + answer[1:]
    if answer[-1] not in ".!?":
        answer += "." if answer[-1].isalnum() else ""
    return ToolUse(
        schema=_schema(rng, name, rng.choice(family.about), keyed), name=name, family=family,
        arguments=arguments, request=request, result=result, answer=answer,
    )


def generic_use(rng: random.Random) -> ToolUse:
    """Draw a tool that no family knows; the request names the tool or its words."""
    verb = rng.choice(_VERBS)
    noun = rng.choice(THINGS) if rng.random() < 0.6 else invented_word(rng)
    name = rng.choice((f"{verb}_{noun}", f"{verb}_{noun}", f"{noun}_{verb}", f"{verb}{noun}"))
    keys = [
        rng.choice("name colour size id value day mode key target level kind".split()),
        *([invented_word(rng)] if rng.random() < 0.3 else []),
    ][: rng.randint(0, 2)]
    keyed = [
        (Slot(slot=key, source="phrase", keys=(key,)), key,
         rng.randint(0, 500) if rng.random() < 0.3 else rng.choice(
             (_phrase(rng), invented_word(rng), rng.choice(THINGS))))
        for key in keys
    ]
    arguments = {key: value for _, key, value in keyed}
    pairs = " and ".join(f"{key} {value}" for key, value in arguments.items())
    ending = f" with {pairs}" if pairs else ""
    request = rng.choice(
        (f"{verb.capitalize()} the {noun}{ending}.", f"Use {name}{ending}.",
         f"Call {name}{ending}.", f"Please {verb} the {noun}{ending}.", f"Call the tool {name}"
         f"{ending}.", f"Can you {verb} the {noun}{ending}?")
    )
    out_key = rng.choice("result status value answer name colour id total place".split())
    value = rng.choice((rng.randint(0, 9999), invented_word(rng), _phrase(rng), "ok"))
    answer = "It is done." if value == "ok" else f"The {out_key} is {value}."
    about = f"{verb.capitalize()} the {noun}."
    outs = [(Slot(slot=out_key, source="phrase", keys=(out_key,)), out_key, value)]
    result = json.dumps({out_key: value})
    if rng.random() < 0.3:
        result = _result_text(rng, outs, {})
        answer = f"The result is {value}." if result == str(value) and value != "ok" else answer
    return ToolUse(
        schema=_schema(rng, name, about, keyed), name=name, arguments=arguments,
        request=request, result=result, answer=answer,
    )
