"""Counting, lists, small sums, plain knowledge and small JSON answers."""

from __future__ import annotations

import json
import random

from corpus_types import Document, fill, polite, turn, vary
from general_lines import KNOWLEDGE, LISTS, OPPOSITES, SEQUENCES
from words import (
    ADJECTIVES,
    ANIMALS,
    CITIES,
    COLOURS,
    FIRST_NAMES,
    FOODS,
    NUMBER_WORDS,
    THINGS,
    invented_name,
    invented_word,
)
from world import PEOPLE


def _sentence_list(words: list[str]) -> str:
    """Join words as English does: "one, two and three"."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def count_chat(rng: random.Random) -> Document:
    """Counting up or down, in digits or words."""
    low = 1 if rng.random() < 0.75 else rng.randint(0, 10)
    high = rng.randint(low + 2, min(20, low + 12))
    as_words = rng.random() < 0.5
    spell = (lambda n: NUMBER_WORDS[n]) if as_words else str
    numbers = [spell(n) for n in range(low, high + 1)]
    if rng.random() < 0.15:
        numbers.reverse()
        request = fill(
            rng, ("Count down from {high} to {low}.", "Count backwards from {high} to {low}."),
            low=spell(low), high=spell(high),
        )
    elif low == 1 and rng.random() < 0.4:
        request = fill(
            rng, ("Count to {high}.", "Count up to {high}.", "Can you count to {high}?"),
            high=spell(high),
        )
    else:
        request = fill(
            rng,
            ("Count from {low} to {high}.", "Count from {low} up to {high}.",
             "Write the numbers from {low} to {high}.", "List the numbers from {low} to {high}.",
             "Say the numbers from {low} to {high}."),
            low=spell(low), high=spell(high),
        )
    if not request.endswith("?"):
        request = polite(rng, request)
    text = ", ".join(numbers) + "."
    return Document(kind="count", messages=turn(vary(rng, request), text[0].upper() + text[1:]))


def sum_chat(rng: random.Random) -> Document:
    """A sum, a difference or a comparison of small numbers."""
    left, right = rng.randint(0, 12), rng.randint(0, 12)
    spell = (lambda n: NUMBER_WORDS[n]) if rng.random() < 0.25 and left + right <= 20 else str
    roll = rng.random()
    if roll < 0.5:
        result, sign, word = left + right, "+", "plus"
    elif roll < 0.75:
        left, right = max(left, right), min(left, right)
        result, sign, word = left - right, "-", "minus"
    else:
        right += left == right
        question = fill(
            rng, ("Which is bigger, {l} or {r}?", "Which number is larger, {l} or {r}?"),
            l=left, r=right,
        )
        answer = f"{max(left, right)} is bigger than {min(left, right)}."
        return Document(kind="sum", messages=turn(question, answer))
    question = fill(
        rng,
        ("What is {l} {word} {r}?", "What is {l} {sign} {r}?", "How much is {l} {word} {r}?",
         "{l} {sign} {r}", "{l}{sign}{r}", "{l} {sign} {r} = ?", "Calculate {l} {sign} {r}."),
        l=spell(left), r=spell(right), sign=sign, word=word,
    )
    answer = f"{spell(left)} {word} {spell(right)} is {spell(result)}."
    return Document(
        kind="sum", messages=turn(vary(rng, question), answer[0].upper() + answer[1:])
    )


def list_chat(rng: random.Random) -> Document:
    """A list of things of one kind, as a sentence or one a line."""
    if rng.random() < 0.3:
        requests, answer = rng.choice(SEQUENCES)
        return Document(kind="list", messages=turn(vary(rng, rng.choice(requests)), answer))
    kind, words = rng.choice(LISTS)
    count = rng.randint(2, 6)
    chosen = rng.sample(words, count)
    number = NUMBER_WORDS[count] if rng.random() < 0.7 else str(count)
    request = fill(
        rng,
        ("Name {n} {kind}.", "List {n} {kind}.", "Give me {n} {kind}.", "Tell me {n} {kind}.",
         "Write a list of {n} {kind}.", "Can you name {n} {kind}?", "Give me a list of {n} {kind}.",
         "Name {n} different {kind}.", "Make a list of {n} {kind}."),
        n=number, kind=kind,
    )
    form = rng.random()
    if form < 0.5:
        text = _sentence_list(chosen)
        return Document(
            kind="list", messages=turn(vary(rng, request), text[0].upper() + text[1:] + ".")
        )
    bullet = rng.random() < 0.5
    request = request.rstrip(".") + (", one per line." if "?" not in request else "")
    lines = [f"- {word}" if bullet else f"{i}. {word}" for i, word in enumerate(chosen, start=1)]
    if bullet:
        request = "As a bullet list: " + request[0].lower() + request[1:]
    return Document(kind="list", messages=turn(vary(rng, request), "\n".join(lines)))


def knowledge_chat(rng: random.Random) -> Document:
    """Plain knowledge about animals, colours, opposites and spelling."""
    roll = rng.random()
    if roll < 0.65:
        questions, answers = rng.choice(KNOWLEDGE)
        return Document(
            kind="knowledge", messages=turn(vary(rng, rng.choice(questions)), rng.choice(answers))
        )
    if roll < 0.85:
        one, two = rng.choice(OPPOSITES)
        if rng.random() < 0.5:
            one, two = two, one
        question = fill(
            rng, ("What is the opposite of {x}?", "Opposite of {x}?", "Name the opposite of {x}."),
            x=one,
        )
        answer = f"The opposite of {one} is {two}."
    else:
        word = rng.choice(THINGS + ANIMALS + FOODS) if rng.random() < 0.6 else invented_word(rng)
        question = fill(rng, ("Spell the word {x}.", "How do you spell {x}?", "Spell {x}."), x=word)
        answer = "-".join(word.upper()) + "."
    return Document(kind="knowledge", messages=turn(vary(rng, question), answer))


def _json_value(rng: random.Random, key: str) -> object:
    """Return a value that suits the key."""
    people = [person.name for person in PEOPLE]
    choices = {
        "name": people + FIRST_NAMES, "city": CITIES, "colour": COLOURS, "color": COLOURS,
        "animal": ANIMALS, "food": FOODS, "thing": THINGS, "pet": ANIMALS, "mood": ADJECTIVES,
        "job": [person.job for person in PEOPLE], "friend": FIRST_NAMES, "town": ["Tillbrook"],
        "title": ["The Red Boat", "A Day at the Mill", "The Lost Key", "Bruno and the Duck"],
        "answer": ["yes", "no"], "ok": [True, False], "done": [True, False], "ready": [True, False],
        "age": range(5, 70), "count": range(1, 20), "number": range(1, 100), "price": range(1, 50),
        "size": ["small", "big"], "year": range(1990, 2030), "legs": [2, 4],
    }
    if key in {"items", "animals", "colours"}:
        source = {"items": THINGS, "animals": ANIMALS, "colours": COLOURS}[key]
        return rng.sample(source, rng.randint(2, 4))
    return rng.choice(choices.get(key) or [rng.choice(THINGS)])


_JSON_KEYS = (
    "name age city colour color animal food thing pet mood job friend town title answer ok done "
    "ready count number price size year legs items animals colours"
).split()


def json_chat(rng: random.Random) -> Document:
    """A small JSON object with the keys that the user names."""
    keys = rng.sample(_JSON_KEYS, rng.randint(1, 4))
    if rng.random() < 0.35:
        keys = ["name", *[key for key in keys if key != "name"][:3]]
    values = {key: _json_value(rng, key) for key in keys}
    if rng.random() < 0.15:
        key = invented_word(rng)
        keys, values = [*keys, key], {**values, key: rng.choice(THINGS)}
    if "name" in values and rng.random() < 0.15:
        values["name"] = invented_name(rng)
    quote = rng.choice(("", "", '"', "'"))
    listed = _sentence_list([f"{quote}{key}{quote}" for key in keys])
    subject = rng.choice(("a person", "an animal", "a thing", "something", "a friend"))
    if "name" in values and rng.random() < 0.5:
        subject = str(values["name"])
    request = fill(
        rng,
        ("Give me a JSON object with {keys}.", "Answer in JSON with the keys {keys}.",
         "Describe {subject} as JSON with the keys {keys}.",
         "Write a JSON object about {subject} with the fields {keys}.",
         "Make a JSON object with the keys {keys}.", "Return JSON with {keys} for {subject}.",
         "Reply only with JSON. Describe {subject} with {keys}.",
         "Describe {subject} as a JSON object with {keys}.",
         "Give me {subject} as JSON with {keys}.", "Invent {subject} as JSON with {keys}."),
        keys=listed, subject=subject,
    )
    if subject != values.get("name") and "name" not in listed and subject[0].isupper():
        request = f"Give me a JSON object with {listed}."
    indent = 2 if rng.random() < 0.08 else None
    return Document(
        kind="json", messages=turn(vary(rng, request), json.dumps(values, indent=indent))
    )
