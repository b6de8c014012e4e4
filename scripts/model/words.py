"""Word lists that the corpus generators draw from, and a source of invented words."""

from __future__ import annotations

import random

COLOURS = "red blue green yellow white black brown grey orange purple pink golden silver".split()

ANIMALS = (
    "dog cat bird fish horse cow pig sheep goat hen duck goose rabbit mouse fox bear wolf deer "
    "frog owl hedgehog squirrel donkey turtle lion tiger elephant monkey snake bee spider crab "
    "whale penguin parrot pony puppy kitten lamb snail"
).split()

BEINGS = (
    "robot dragon princess prince king queen wizard knight pirate ghost fairy farmer teacher "
    "sailor baker painter giant witch boy girl doctor gardener musician astronaut"
).split()

FIRST_NAMES = (
    "Tom Anna Ben Lucy Sam Emma Jack Rosa Leo Mia Max Ella Paul Nina Tim Clara Oscar Ruth Peter "
    "Alice Bob Carol David Eve Frank Grace Henry Jane Kate Luke Maria Nick Olivia Sarah Will Zoe "
    "John Mary James Linda Omar Priya Chen Yuki Ivan Fatima Carlos Sofia Hans Ingrid"
).split()

PET_NAMES = (
    "Rex Spot Milo Bella Coco Daisy Buddy Luna Toby Ruby Bramble Pepper Biscuit Socks Ginger "
    "Misty Teddy Honey Poppy Rusty Snowy Bingo Patch Willow"
).split()

CITIES = [
    *(
        "Paris London Berlin Tokyo Madrid Rome Vienna Oslo Dublin Lisbon Athens Cairo Delhi "
        "Sydney Toronto Boston Chicago Seattle Denver Austin Miami Dallas Moscow Beijing Seoul "
        "Lima Prague Warsaw Budapest Helsinki Stockholm Copenhagen Amsterdam Brussels Zurich "
        "Geneva Munich Hamburg Barcelona Milan Venice Istanbul Nairobi Mumbai Bangkok Singapore "
        "Melbourne"
    ).split(),
    "New York", "San Francisco", "Los Angeles", "Hong Kong", "Mexico City", "Cape Town",
]

COUNTRIES = [
    *(
        "France Germany Spain Italy Japan China India Brazil Canada Mexico Egypt Kenya Norway "
        "Sweden Finland Poland Greece Turkey Australia Russia England Ireland Portugal "
        "Argentina Peru"
    ).split(),
    "the United States", "New Zealand", "South Africa", "the Netherlands",
]

FOODS = (
    "bread cheese soup apples pears cake pie honey butter milk eggs rice pasta pizza carrots "
    "potatoes beans plums berries nuts tea coffee porridge pancakes biscuits salad tomatoes"
).split()

THINGS = (
    "ball book boat key lamp hat coat box bag bell kite drum map cup spoon chair table clock "
    "letter basket bucket rope stone shell ring coin flower tree bridge door window blanket "
    "bicycle ladder candle whistle umbrella mirror pencil wagon star button"
).split()

PLACES = (
    "garden forest river hill beach field farm barn market park lake meadow mountain village "
    "castle island valley school kitchen harbour cave orchard"
).split()

ADJECTIVES = (
    "small big old young happy sad brave kind clever quiet loud fast slow warm cold soft bright "
    "dark strong gentle funny shy tired hungry curious friendly lonely proud lucky careful"
).split()

COMMON_WORDS = (
    "time year people way day man thing woman life child world school state family student group "
    "country problem hand part place case week company system program question work government "
    "number night point home water room mother area money story fact month lot right study book "
    "eye job word business issue side kind head house service friend father power hour game line "
    "end member law car city community name president team minute idea body information back "
    "parent face others level office door health person art war history party result change "
    "morning reason research girl guy moment air teacher force education foot boy age policy "
    "process music market sense nation plan college interest death experience effect use class "
    "control care field development role effort rate heart drug show leader light voice wife "
    "police mind price report decision son view relationship town road difference value building "
    "action season society tax director position player record paper space ground form event "
    "matter center couple site project activity table need court oil situation cost industry "
    "figure street image phone data picture practice piece land product doctor wall patient "
    "worker news test movie north south east west love step baby computer type film tree source "
    "organization hair look window culture chance brother energy period course summer plant "
    "option letter condition choice island machine letter network memory server model token "
    "message request answer function variable string file folder button screen keyboard mouse "
    "quick brown lazy jumps over under between around through across along behind above below "
    "always never often sometimes usually really almost already again together because although "
    "however therefore perhaps maybe before after during until while since unless every another "
    "several enough certain possible important different simple difficult early late high low "
    "long short large great little good bad new first second third last next many few more most "
    "make take give find tell ask seem feel try leave call keep let begin help talk turn start "
    "might should would could must will can play run move like live believe hold bring happen "
    "write provide sit stand lose pay meet include continue set learn lead understand watch "
    "follow stop create speak read allow add spend grow open walk win offer remember consider "
    "appear buy wait serve die send expect build stay fall cut reach kill remain suggest raise "
    "pass sell require decide pull thank carry break explain hope develop receive agree support"
).split()

TOPICS = (
    "history,physics,chemistry,mathematics,biology,music,football,tennis,chess,politics,"
    "economics,philosophy,astronomy,computers,programming,Python,JavaScript,machine learning,"
    "quantum physics,black holes,gravity,electricity,photosynthesis,dinosaurs,volcanoes,"
    "the moon,the sun,the stars,the ocean,space travel,rockets,robots,artificial intelligence,"
    "medicine,vaccines,the human body,cars,trains,airplanes,ships,cooking,wine,coffee,chocolate,"
    "movies,books,poetry,art,painting,photography,fashion,money,the stock market,taxes,law,"
    "religion,love,the weather,climate change,the internet,databases,operating systems,"
    "the Roman Empire,the Second World War,ancient Egypt,the French Revolution,Shakespeare,"
    "Einstein,Napoleon,Mozart,the Eiffel Tower,the Great Wall,Mount Everest,the Amazon,"
    "the Pacific Ocean,the Olympic Games,the World Cup,video games,gardening,yoga,sleep,"
    "dreams,languages,French,German,Latin,grammar,DNA,atoms,water,oxygen,gold,diamonds,"
    "the speed of light,relativity,evolution,the big bang,sharks,whales,polar bears"
).split(",")

NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
).split()

_ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl cr dr fl gr pl pr sh st th tr qu".split()
_VOWELS = "a e i o u a e i o ai ea oo ou y".split()
_CODAS = ["", "", "", "n", "r", "l", "s", "t", "m", "ck", "nd", "st", "ng", "x"]


def invented_word(rng: random.Random) -> str:
    """Return a pronounceable word of one to three syllables that means nothing."""
    syllables = rng.choice((1, 2, 2, 3))
    parts = (
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables)
    )
    return "".join(parts)


def invented_name(rng: random.Random) -> str:
    """Return an invented word with a capital letter."""
    return invented_word(rng).capitalize()


def a(noun: str) -> str:
    """Return the noun with its indefinite article."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun
