"""Short stories, as plain text and as answers to a request for one."""

from __future__ import annotations

import random
from dataclasses import dataclass

from corpus_types import Document, fill, polite, turn, vary
from story_plots import ENDINGS, OPENINGS, PLOTS
from words import (
    ADJECTIVES,
    ANIMALS,
    BEINGS,
    COLOURS,
    FIRST_NAMES,
    FOODS,
    PET_NAMES,
    PLACES,
    THINGS,
    a,
    invented_name,
)
from world import PEOPLE, TOWN


@dataclass(kw_only=True)
class Cast:
    """Who and what a story is about; topic is the phrase a request would use."""

    topic: str
    hero: str
    intro: str
    pronoun: str
    friend: str
    friend_intro: str
    thing: str
    place: str


def _creature(rng: random.Random, kind: str) -> tuple[str, str]:
    """Return a name and an introduction such as "a small brown dog named Rex"."""
    name = rng.choice(PET_NAMES if kind in ANIMALS else FIRST_NAMES)
    if rng.random() < 0.1:
        name = invented_name(rng)
    adjective = rng.choice(ADJECTIVES)
    colour = f" {rng.choice(COLOURS)}" if kind in ANIMALS and rng.random() < 0.5 else ""
    return name, f"{a(adjective)}{colour} {kind} {rng.choice(('named', 'called'))} {name}"


def _cast(rng: random.Random) -> Cast:
    """Draw the characters, the thing and the place of one story."""
    kind = rng.choice(ANIMALS if rng.random() < 0.65 else BEINGS)
    other = rng.choice([name for name in ANIMALS if name != kind])
    hero, intro = _creature(rng, kind)
    friend, friend_intro = _creature(rng, other)
    while friend == hero:
        friend, friend_intro = _creature(rng, other)
    thing, place = rng.choice(THINGS), rng.choice(PLACES)
    pronoun = "she" if kind in ("princess", "queen", "fairy", "witch", "girl", "hen") else "he"
    if kind in ANIMALS and rng.random() < 0.5:
        pronoun = "she"
    topic = a(kind)
    roll = rng.random()
    if roll < 0.10:
        person = rng.choice(PEOPLE)
        hero, pronoun, topic = person.name, person.pronoun, person.name
        intro = f"a {person.job} named {hero}" if rng.random() < 0.5 else f"{hero} the {person.job}"
    elif roll < 0.18:
        hero = topic = rng.choice(FIRST_NAMES)
        intro = f"a child named {hero}"
    elif roll < 0.34:
        topic = f"{a(kind)} and {a(other)}"
    elif roll < 0.44:
        topic = f"{a(kind)} named {hero}"
    elif roll < 0.54:
        thing = rng.choice(COLOURS) + " " + thing
        topic = a(thing)
    elif roll < 0.60:
        topic = f"the {place}"
    elif roll < 0.66:
        topic = f"{a(kind)} in the {place}"
    return Cast(
        topic=topic, hero=hero, intro=intro, pronoun=pronoun, friend=friend,
        friend_intro=friend_intro, thing=thing, place=place,
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _tell(rng: random.Random, cast: Cast, *, short: bool) -> str:
    """Write the story: an opening, the steps of one plot, an ending."""
    plot = rng.choice(PLOTS)
    steps = [OPENINGS, *(plot[:1] + plot[-1:] if short else plot), ENDINGS]
    possessive = "her" if cast.pronoun == "she" else "his"
    objective = "her" if cast.pronoun == "she" else "him"
    slots = dict(
        hero=cast.hero, intro=cast.intro, he=cast.pronoun, He=_capital(cast.pronoun),
        his=possessive, him=objective, friend=cast.friend, friend_intro=cast.friend_intro,
        Friend_intro=_capital(cast.friend_intro), thing=cast.thing, a_thing=a(cast.thing),
        place=cast.place, food=rng.choice(FOODS), adj=rng.choice(ADJECTIVES), town=TOWN,
        Intro=_capital(cast.intro),
    )
    return " ".join(fill(rng, step, **slots) for step in steps)


_REQUESTS = (
    "Tell me a story about {topic}.", "Tell me a story about {topic}.",
    "Write a story about {topic}.", "Write a short story about {topic}.",
    "Tell a story about {topic}.", "Tell me a short story about {topic}.",
    "I would like to hear a story about {topic}.", "Make up a story about {topic}.",
    "Do you know a story about {topic}?", "Give me a story about {topic}.",
    "Write me a little tale about {topic}.", "Write something about {topic}.",
)
_OPEN_REQUESTS = (
    "Tell me a story.", "Tell me a short story.", "Write a short story.", "Write a story.",
    "Please tell me a story.", "Do you know a story?", "I want to hear a story.",
    "Once upon a time", "Tell me a bedtime story.", "Tell me another story.",
)
_SHORT_REQUESTS = (
    "Tell me a very short story about {topic}.", "Write a few sentences about {topic}.",
    "Tell me a tiny story about {topic}.", "Write a story about {topic} in four sentences.",
)


def story_chat(rng: random.Random) -> Document:
    """A request for a story and the story."""
    cast = _cast(rng)
    roll = rng.random()
    short = False
    if roll < 0.12:
        request = rng.choice(_OPEN_REQUESTS)
    elif roll < 0.27:
        short = True
        request = polite(rng, fill(rng, _SHORT_REQUESTS, topic=cast.topic))
    else:
        request = fill(rng, _REQUESTS, topic=cast.topic)
        if request.startswith(("Tell", "Write", "Make", "Give")):
            request = polite(rng, request)
    return Document(
        kind="story", messages=turn(vary(rng, request), _tell(rng, cast, short=short))
    )


def story_text(rng: random.Random) -> Document:
    """One or two stories as plain text, without chat turns."""
    count = 2 if rng.random() < 0.2 else 1
    texts = [_tell(rng, _cast(rng), short=rng.random() < 0.1) for _ in range(count)]
    return Document(kind="text", text="\n\n".join(texts))


def story_sentences(rng: random.Random, count: int) -> list[str]:
    """Return up to count sentences of a story, for generators that need running text."""
    text = _tell(rng, _cast(rng), short=False)
    sentences = text.replace("! ", "!|").replace("? ", "?|").replace(". ", ".|").split("|")
    start = rng.randrange(max(1, len(sentences) - count))
    return sentences[start : start + count]
