"""Copying tasks: the answer is a text from the prompt, word for word."""

from __future__ import annotations

import json
import random
import string

from corpus_stories import story_sentences
from corpus_types import Document, fill, polite, turn
from words import (
    ADJECTIVES,
    ANIMALS,
    CITIES,
    COMMON_WORDS,
    FIRST_NAMES,
    FOODS,
    NUMBER_WORDS,
    PLACES,
    THINGS,
    TOPICS,
    invented_name,
    invented_word,
)

_WORDS = [*COMMON_WORDS, *ANIMALS, *THINGS, *PLACES, *FOODS, *ADJECTIVES, *FIRST_NAMES, *CITIES]
_SMALL_WORDS = "the a of and to in is it that was for on are with as his they at be this".split()


def _sentence(rng: random.Random) -> str:
    """Return a nonsense sentence of common, invented and small words."""
    words = []
    for _ in range(rng.randint(4, 14)):
        roll = rng.random()
        if roll < 0.40:
            words.append(rng.choice(_WORDS))
        elif roll < 0.70:
            words.append(rng.choice(_SMALL_WORDS))
        elif roll < 0.92:
            words.append(invented_word(rng))
        else:
            words.append(str(rng.randint(0, 10 ** rng.randint(1, 4))))
        if rng.random() < 0.06:
            words[-1] += rng.choice(",;:")
    text = " ".join(words)
    return text[0].upper() + text[1:] + rng.choice("....!?")


def _symbols(rng: random.Random) -> str:
    """Return words made of arbitrary letters, digits and signs."""
    alphabet = rng.choice(
        (string.ascii_lowercase, string.ascii_letters, string.digits,
         string.ascii_letters + string.digits, string.ascii_uppercase, string.printable[:94])
    )
    words = ("".join(rng.choices(alphabet, k=rng.randint(1, 8))) for _ in range(rng.randint(1, 8)))
    return " ".join(words)


def _word_list(rng: random.Random) -> str:
    """Return a list of words, separated in one of several ways."""
    words = [
        rng.choice(_WORDS) if rng.random() < 0.7 else invented_word(rng)
        for _ in range(rng.randint(1, 16))
    ]
    return rng.choice((", ", " ", "\n", "; ", " ", " - ")).join(words)


def _code(rng: random.Random) -> str:
    """Return a few lines that look like a program."""
    lines = []
    for _ in range(rng.randint(1, 6)):
        one, two, three = (invented_word(rng) for _ in range(3))
        lines.append(
            rng.choice(
                (f"{one} = {rng.randint(0, 999)}", f"def {one}({two}, {three}):",
                 f"    return {one} + {two}", f"if {one} > {rng.randint(0, 99)}:",
                 f"print(\"{one} {two}\")", f"for {one} in {two}:", f"import {one}",
                 f"    {one}.{two}({three})", f"# {one} {two}", f"{one}[{two}] = \"{three}\"")
            )
        )
    return "\n".join(lines)


def _json_text(rng: random.Random) -> str:
    """Return a small JSON object."""
    values = (rng.randint(0, 999), invented_word(rng), True, None, rng.choice(_WORDS))
    keys = (invented_word(rng) for _ in range(rng.randint(1, 5)))
    return json.dumps({key: rng.choice(values) for key in keys})


def _capital_word(rng: random.Random) -> str:
    """Return a topic, a name, a number or a word with capital letters."""
    return rng.choice(
        (rng.choice(TOPICS), invented_name(rng), rng.choice(NUMBER_WORDS),
         rng.choice(_WORDS).upper(), rng.choice(_WORDS).capitalize())
    )


def _capital_words(rng: random.Random) -> str:
    """Return topics, names and numbers in a row, with capital letters here and there."""
    return " ".join(_capital_word(rng) for _ in range(rng.randint(2, 10)))


def arbitrary_text(rng: random.Random, *, long: bool) -> str:
    """Return a text to copy; a long one has several sentences or paragraphs."""
    if long:
        blocks = [
            " ".join(_sentence(rng) for _ in range(rng.randint(2, 4)))
            if rng.random() < 0.6
            else " ".join(story_sentences(rng, rng.randint(2, 5)))
            for _ in range(rng.randint(1, 4))
        ]
        return rng.choice((" ", "\n", "\n\n")).join(blocks)
    makers = (
        _sentence, _sentence, _sentence, _symbols, _word_list, _code, _json_text, _capital_words,
        lambda r: " ".join(story_sentences(r, r.randint(1, 3))),
    )
    return rng.choice(makers)(rng)


_INLINE = (
    "Repeat this text: {x}", "Repeat this text: {x}", "Repeat: {x}", "Repeat after me: {x}",
    "Copy this text: {x}", "Repeat the following text: {x}", "Please repeat this text: {x}",
    "Repeat this: {x}", "Copy: {x}", "Echo: {x}", "Repeat exactly: {x}", "Repeat the text: {x}",
    "Copy this text exactly: {x}", "Repeat this sentence: {x}", "Repeat these words: {x}",
    "Say exactly this: {x}", "Write this text again: {x}", "Repeat this text exactly: {x}",
    "Repeat the following: {x}", "Repeat this line: {x}", "repeat this text: {x}", "Say: {x}",
)
_BLOCK = (
    "Repeat this text:\n{x}", "Repeat this text:\n\n{x}", "Copy the following text exactly:\n\n{x}",
    "Repeat the text below.\n\n{x}", "Write the same text again:\n{x}",
    "Please copy the text below word for word.\n\n{x}", "Repeat the following text exactly.\n{x}",
    "Repeat after me:\n{x}", "{x}\n\nRepeat the text above.", "{x}\n\nCopy this text exactly.",
)
_QUOTED = (
    "Repeat \"{x}\".", "Repeat the sentence \"{x}\"", "Copy \"{x}\"", "Repeat this text: \"{x}\"",
    "Please repeat \"{x}\" exactly.",
)


def repeat_chat(rng: random.Random, *, long_share: float = 0.25) -> Document:
    """One text to repeat and the same text as the answer."""
    long = rng.random() < long_share
    text = arbitrary_text(rng, long=long)
    roll = rng.random()
    if "\n" in text or (long and roll < 0.5):
        prompt = fill(rng, _BLOCK if roll < 0.6 else _INLINE, x=text)
    elif roll < 0.12 and "\"" not in text:
        prompt = fill(rng, _QUOTED, x=text)
    else:
        prompt = fill(rng, _INLINE, x=text)
    return Document(kind="repeat", messages=turn(prompt, text))


def repeat_times_chat(rng: random.Random) -> Document:
    """One word to write several times, or a list to write in reverse order."""
    word = rng.choice(_WORDS) if rng.random() < 0.6 else invented_word(rng)
    count = rng.randint(2, 5)
    amount = "twice" if count == 2 and rng.random() < 0.5 else f"{NUMBER_WORDS[count]} times"
    request = fill(
        rng,
        ("Repeat the word {x} {n}.", "Write {x} {n}.", "Say {x} {n}.", "Say the word {x} {n}."),
        x=word, n=amount,
    )
    return Document(kind="say", messages=turn(polite(rng, request), " ".join([word] * count)))
