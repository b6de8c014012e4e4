"""The little invented town that the model knows: its people, animals and places."""

from __future__ import annotations

from dataclasses import dataclass

TOWN = "Tillbrook"
RIVER = "Wenny"
HILL = "Oat Hill"


@dataclass(frozen=True, kw_only=True)
class Person:
    """One inhabitant; every field is a word or short phrase used in sentences as it stands."""

    name: str
    pronoun: str
    job: str
    place: str
    animal: str
    pet: str
    colour: str
    house: str
    street: str
    food: str
    hobby: str
    age: int

    @property
    def possessive(self) -> str:
        """Return "his" or "her"."""
        return "his" if self.pronoun == "he" else "her"


@dataclass(frozen=True, kw_only=True)
class Place:
    """One place in the town and where it is."""

    name: str
    where: str
    colour: str
    known_for: str


_PEOPLE_TABLE = """
Mara she baker|bakery|cat|Pim|grey|yellow|Mill Lane|plum cake|singing|34
Odo he miller|mill|donkey|Bruno|brown|white|Mill Lane|warm bread|fishing|52
Tessa she teacher|school|parrot|Kiwi|green|blue|Bell Street|pears|painting|29
Hugo he blacksmith|forge|dog|Ember|black|red|Bridge Street|onion soup|chess|41
Lina she gardener|park|rabbit|Clover|white|green|Garden Row|carrots|walking|37
Jonas he fisherman|harbour|duck|Paddle|yellow|blue|River Road|fried fish|whistling|46
Vera she doctor|clinic|owl|Minerva|brown|white|Bell Street|apple pie|reading|50
Emil he postman|post office|pony|Dash|brown|orange|Bridge Street|pancakes|running|26
Nora she librarian|library|mouse|Comma|grey|purple|Garden Row|cheese|writing|44
Felix he cook|inn|pig|Truffle|pink|red|Market Square|potatoes|dancing|33
Ida she shopkeeper|shop|hen|Button|black|yellow|Market Square|boiled eggs|knitting|58
Rolf he carpenter|workshop|goat|Nail|white|brown|River Road|bean stew|carving|39
Selma she mayor|town hall|horse|Comet|black|white|Market Square|honey tea|gardening|61
Kasper he painter|studio|fox|Rusty|orange|green|Hill Path|tomatoes|drawing|24
Greta she beekeeper|honey farm|bear cub|Bumble|brown|golden|Hill Path|honey|swimming|48
Anton he musician|theatre|frog|Tuba|green|purple|Bell Street|berries|playing the violin|31
"""

_PLACES_TABLE = """
bakery|next to the mill|yellow|its plum cake
mill|by the river|white|its big wooden wheel
school|across from the library|blue|its tall bell
forge|near the old bridge|black|its iron gates
park|behind the school|green|its rose garden
harbour|at the end of River Road|grey|its little boats
clinic|beside the town hall|white|its kind doctor
post office|next to the shop|orange|its fast pony
library|across from the school|purple|its thousand books
inn|on the corner of Market Square|red|its potato pie
shop|next to the post office|yellow|its striped socks
workshop|near the harbour|brown|its fine chairs
town hall|in the middle of Market Square|white|its golden clock
studio|at the top of Hill Path|green|its bright paintings
honey farm|on Oat Hill|golden|its sweet honey
theatre|behind the inn|purple|its music on Friday nights
"""


def _read_people() -> list[Person]:
    people = []
    for line in _PEOPLE_TABLE.strip().splitlines():
        head, place, animal, pet, colour, house, street, food, hobby, age = line.split("|")
        name, pronoun, job = head.split(" ", 2)
        people.append(
            Person(
                name=name, pronoun=pronoun, job=job, place=place, animal=animal, pet=pet,
                colour=colour, house=house, street=street, food=food, hobby=hobby, age=int(age),
            )
        )
    return people


def _read_places() -> list[Place]:
    rows = (line.split("|") for line in _PLACES_TABLE.strip().splitlines())
    return [
        Place(name=name, where=where, colour=colour, known_for=known_for)
        for name, where, colour, known_for in rows
    ]


PEOPLE = _read_people()
TOWN_PLACES = _read_places()
