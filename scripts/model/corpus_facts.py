"""Questions and answers about the little town."""

from __future__ import annotations

import random

from corpus_types import Document, fill, turn, vary
from words import a
from world import HILL, PEOPLE, RIVER, TOWN, TOWN_PLACES, Person, Place

Pair = tuple[tuple[str, ...], tuple[str, ...]]

_PERSON_PAIRS: list[Pair] = [
    (("Who is {name}?", "Tell me about {name}.", "What do you know about {name}?",
      "Do you know {name}?", "Describe {name}.", "Can you tell me something about {name}?"),
     ("{name} is the {job} of {town}. {He} lives on {street} and has {a_animal} named {pet}.",
      "{name} is the {job} in {town}. {He} likes {food} and {hobby}.",
      "{name} is a {age} year old {job} from {town}. {He} has {a_animal} called {pet}.")),
    (("What does {name} do?", "What is {name}'s job?", "What does {name} do for a living?",
      "What is the job of {name}?", "What work does {name} do?", "Where does {name} work?"),
     ("{name} is the {job}. {He} works at the {place}.",
      "{name} works at the {place} as the {job} of {town}.")),
    (("Who is the {job}?", "Who is the {job} of {town}?", "Who works at the {place}?",
      "What is the name of the {job}?", "Who is the {job} in {town}?", "Who runs the {place}?"),
     ("The {job} of {town} is {name}.", "{name} is the {job}. {He} works at the {place}.")),
    (("What animal does {name} have?", "Does {name} have a pet?", "What pet does {name} have?",
      "Which animal belongs to {name}?", "What is {name}'s pet?",
      "What is the name of {name}'s {animal}?"),
     ("{name} has a {colour} {animal} named {pet}.", "{name} has {a_animal} called {pet}.")),
    (("Who is {pet}?", "What kind of animal is {pet}?", "Who owns {pet}?",
      "Whose {animal} is {pet}?", "Who has {a_animal}?", "Who owns the {animal}?"),
     ("{pet} is a {colour} {animal}. {pet} belongs to {name}.",
      "{pet} is the {animal} of {name}, the {job}.")),
    (("What colour is {pet}?", "What color is {pet}?", "What colour is {name}'s {animal}?",
      "Which colour does {pet} have?"),
     ("{pet} is {colour}.", "{pet} the {animal} is {colour}.")),
    (("Where does {name} live?", "Where is {name}'s house?", "On which street does {name} live?",
      "What is the address of {name}?"),
     ("{name} lives in a {house} house on {street}.", "{name} lives on {street}.")),
    (("What colour is {name}'s house?", "What color is the house of {name}?",
      "Which colour is the house of {name}?", "Describe the house of {name}."),
     ("The house of {name} is {house}.", "{name} has a {house} house on {street}.")),
    (("What does {name} like to eat?", "What is {name}'s favourite food?",
      "What is the favorite food of {name}?", "What food does {name} like?"),
     ("{name} likes {food}.", "The favourite food of {name} is {food}.")),
    (("What is {name}'s hobby?", "What does {name} like to do?",
      "What does {name} do for fun?", "What is the hobby of {name}?"),
     ("{name} likes {hobby}.", "In {his} free time, {name} likes {hobby}.")),
    (("How old is {name}?", "What is the age of {name}?", "What is {name}'s age?"),
     ("{name} is {age} years old.",)),
]

_PLACE_PAIRS: list[Pair] = [
    (("Where is the {place}?", "Where can I find the {place}?", "How do I get to the {place}?",
      "Where is the {place} in {town}?", "Can you tell me where the {place} is?"),
     ("The {place} is {where}.", "You can find the {place} {where}.")),
    (("What colour is the {place}?", "What color is the {place}?",
      "Which colour does the {place} have?"),
     ("The {place} is {colour}.",)),
    (("What is the {place} known for?", "Tell me about the {place}.",
      "What is special about the {place}?", "What can you tell me about the {place}?"),
     ("The {place} is known for {known_for}. It is {where}.",
      "The {place} of {town} is {where}. People like it for {known_for}.")),
]

_TOWN_PAIRS: list[Pair] = [
    (("Tell me about {town}.", "What is {town}?", "Describe {town}.", "Where is {town}?",
      "What do you know about {town}?", "Tell me about your town.", "What is the town like?",
      "Tell me about the town.", "Which town do you know?"),
     ("{town} is a little town on the river {river}. Sixteen people live there with their "
      "animals.",
      "{town} is a small and friendly town. It has a mill, a bakery, a school and a harbour.",
      "{town} is a little town between the river {river} and {hill}.")),
    (("Which river is in {town}?", "What is the name of the river?",
      "What river runs through {town}?", "Is there a river in {town}?"),
     ("The river of {town} is called the {river}.", "The river {river} runs through {town}.")),
    (("Is there a hill in {town}?", "What is the name of the hill?", "What is {hill}?"),
     ("The hill near {town} is called {hill}. The honey farm is there.",)),
    (("How many people live in {town}?", "How big is {town}?", "Is {town} a big town?"),
     ("Sixteen people live in {town}. It is a very small town.",)),
    (("Who lives in {town}?", "Name some people from {town}.", "Who do you know?",
      "Name three people from {town}."),
     ("Mara the baker, Hugo the blacksmith and Tessa the teacher live in {town}.",)),
    (("What animals live in {town}?", "Which animals do you know in {town}?",
      "Name some animals of {town}."),
     ("There is Pim the cat, Ember the dog, Clover the rabbit and Bruno the donkey.",)),
    (("What places are there in {town}?", "What can I visit in {town}?",
      "What can I see in {town}?", "Name three places in {town}."),
     ("You can visit the library, the harbour and the town hall with its golden clock.",)),
    (("What is there to eat in {town}?", "Where can I eat in {town}?"),
     ("You can eat potato pie at the inn or plum cake at the bakery.",)),
]


def _person_slots(person: Person) -> dict[str, object]:
    """Return the slots for sentences about one person."""
    slots = dict(vars(person))
    slots.update(
        He=person.pronoun.capitalize(), his=person.possessive, a_animal=a(person.animal), town=TOWN
    )
    return slots


def _place_slots(place: Place) -> dict[str, object]:
    """Return the slots for sentences about one place."""
    return dict(
        place=place.name, where=place.where, colour=place.colour, known_for=place.known_for,
        town=TOWN,
    )


def _yes_no(rng: random.Random) -> tuple[str, str]:
    """Return a question that is answered with yes or no, and its answer."""
    person = rng.choice(PEOPLE)
    other = person if rng.random() < 0.5 else rng.choice(PEOPLE)
    kind = rng.randrange(3)
    if kind == 0:
        question = f"Is {person.name} the {other.job}?"
        fact = f"{person.name} is the {person.job}."
        right = person.job == other.job
    elif kind == 1:
        question = f"Does {person.name} have {a(other.animal)}?"
        fact = f"{person.name} has {a(person.animal)} named {person.pet}."
        right = person.animal == other.animal
    else:
        question = f"Does {person.name} live on {other.street}?"
        fact = f"{person.name} lives on {person.street}."
        right = person.street == other.street
    return question, ("Yes, " if right else "No, ") + fact


def fact_chat(rng: random.Random) -> Document:
    """One question about the town and its answer."""
    roll = rng.random()
    if roll < 0.12:
        question, answer = _yes_no(rng)
    else:
        if roll < 0.68:
            pairs, slots = _PERSON_PAIRS, _person_slots(rng.choice(PEOPLE))
        elif roll < 0.88:
            pairs, slots = _PLACE_PAIRS, _place_slots(rng.choice(TOWN_PLACES))
        else:
            pairs, slots = _TOWN_PAIRS, dict(town=TOWN, river=RIVER, hill=HILL)
        questions, answers = rng.choice(pairs)
        question, answer = fill(rng, questions, **slots), fill(rng, answers, **slots)
    return Document(kind="facts", messages=turn(vary(rng, question), answer))
