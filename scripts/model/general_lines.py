"""Lists, sequences and plain knowledge that the general questions draw from."""

from __future__ import annotations

from words import ANIMALS, CITIES, COLOURS, FIRST_NAMES, FOODS, PLACES, THINGS

LISTS: list[tuple[str, list[str]]] = [
    ("animals", ANIMALS), ("animals", ANIMALS), ("colours", COLOURS), ("colors", COLOURS),
    ("foods", FOODS), ("things to eat", FOODS), ("names", FIRST_NAMES), ("cities", CITIES),
    ("things", THINGS), ("places", PLACES), ("farm animals", "cow pig sheep goat hen duck".split()),
    ("fruits", "apples pears plums berries cherries grapes bananas lemons".split()),
    ("birds", "hen duck goose owl parrot penguin".split()),
    ("vegetables", "carrots potatoes beans tomatoes onions peas cabbage".split()),
    ("things in a house", "chair table lamp bed door window clock mirror".split()),
]

SEQUENCES: list[tuple[tuple[str, ...], str]] = [
    (("Name the days of the week.", "List the days of the week.", "What are the days of the week?",
      "Which days does a week have?"),
     "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday."),
    (("Name the months of the year.", "List the months.", "What are the months of the year?"),
     "January, February, March, April, May, June, July, August, September, October, November and "
     "December."),
    (("Name the seasons.", "What are the four seasons?", "List the seasons of the year."),
     "Spring, summer, autumn and winter."),
    (("Say the alphabet.", "Write the alphabet.", "List the letters of the alphabet."),
     "A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y, Z."),
    (("Name the colours of the rainbow.", "What are the colours of the rainbow?",
      "List the colors of the rainbow."),
     "Red, orange, yellow, green, blue and purple."),
    (("What comes after Monday?", "Which day comes after Monday?"), "Tuesday comes after Monday."),
    (("What comes after Friday?", "Which day comes after Friday?"), "Saturday comes after Friday."),
    (("How many days are in a week?", "How many days does a week have?"), "A week has seven days."),
    (("How many months are in a year?", "How many months does a year have?"),
     "A year has twelve months."),
]

OPPOSITES: list[tuple[str, str]] = [
    ("hot", "cold"), ("big", "small"), ("young", "old"), ("fast", "slow"), ("happy", "sad"),
    ("day", "night"), ("up", "down"), ("left", "right"), ("open", "closed"), ("full", "empty"),
    ("loud", "quiet"), ("light", "dark"), ("soft", "hard"), ("wet", "dry"), ("good", "bad"),
    ("high", "low"), ("long", "short"), ("rich", "poor"), ("strong", "weak"), ("early", "late"),
]

Pair = tuple[tuple[str, ...], tuple[str, ...]]

_SOUNDS = {"cow": "moo", "dog": "woof", "cat": "meow", "duck": "quack", "sheep": "baa",
           "pig": "oink", "horse": "neigh", "owl": "hoo", "hen": "cluck", "frog": "croak"}
_LEGS = {"dog": "four", "cat": "four", "bird": "two", "spider": "eight", "bee": "six", "hen": "two",
         "horse": "four", "duck": "two", "cow": "four", "snake": "no", "fish": "no", "fox": "four"}
_EATS = {"cat": "fish and mice", "dog": "meat and bones", "rabbit": "carrots", "cow": "grass",
         "horse": "hay and apples", "mouse": "cheese", "bear": "honey and berries",
         "bird": "seeds", "monkey": "fruit", "goat": "leaves and grass"}
_LIVES = {"fish": "in the water", "bird": "in a nest", "bee": "in a hive", "fox": "in the forest",
          "whale": "in the sea", "horse": "in a stable", "frog": "near the pond",
          "rabbit": "in a burrow", "bear": "in the forest", "penguin": "on the ice"}
_COLOURED = {"the sky": "blue", "grass": "green", "snow": "white", "the sun": "yellow",
             "blood": "red", "coal": "black", "a carrot": "orange", "milk": "white",
             "a banana": "yellow", "the sea": "blue", "a tomato": "red", "a leaf": "green"}


def _knowledge() -> list[Pair]:
    """Return every question that has one plain answer, with its phrasings."""
    pairs: list[Pair] = []
    for animal, sound in _SOUNDS.items():
        pairs.append(((f"What sound does a {animal} make?", f"What does a {animal} say?",
                       f"What noise does a {animal} make?"), (f"A {animal} says {sound}.",)))
    for animal, legs in _LEGS.items():
        pairs.append(((f"How many legs does a {animal} have?", f"How many legs has a {animal}?"),
                      (f"A {animal} has {legs} legs.",)))
    for animal, food in _EATS.items():
        pairs.append(((f"What does a {animal} eat?", f"What do {animal}s eat?".replace("mouses",
                       "mice"), f"What can I give my {animal} to eat?"),
                      (f"A {animal} likes to eat {food}.",)))
    for animal, home in _LIVES.items():
        pairs.append(((f"Where does a {animal} live?", f"Where can I find a {animal}?"),
                      (f"A {animal} lives {home}.",)))
    for thing, colour in _COLOURED.items():
        answer = f"{thing} is {colour}."
        pairs.append(((f"What colour is {thing}?", f"What color is {thing}?",
                       f"Which colour is {thing}?", f"Which color does {thing} have?"),
                      (answer[0].upper() + answer[1:],)))
    return pairs


KNOWLEDGE: list[Pair] = _knowledge()
