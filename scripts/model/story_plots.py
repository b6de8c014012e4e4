"""Story plots: each plot is a list of steps, each step a tuple of sentences to choose from."""

from __future__ import annotations

Step = tuple[str, ...]

OPENINGS: Step = (
    "Once upon a time there was {intro}.",
    "Once there was {intro} who lived near the {place}.",
    "Long ago, {intro} lived by the {place}.",
    "There was once {intro}, and everyone in {town} liked {him}.",
    "In the town of {town} there lived {intro}.",
    "One sunny morning, {intro} went for a walk.",
)

ENDINGS: Step = (
    "From that day on, {hero} and {friend} were the best of friends.",
    "That night {hero} slept very well.",
    "And {he} was happy for the rest of {his} days.",
    "It was the best day of the whole year.",
    "{hero} smiled all the way home.",
    "And that is the end of the story.",
    "After that, {hero} was never lonely again.",
)

_LOST: list[Step] = [
    ("One day {hero} lost {his} {thing}.",
     "One morning {he} could not find {his} {thing}.",
     "{hero} had {a_thing}, but one day it was gone."),
    ("{He} looked in the house and under the bed, but it was not there.",
     "{He} looked in the {place}, but {he} did not find it.",
     "{He} searched everywhere and began to feel sad."),
    ("Then {friend_intro} came along and asked what was wrong.",
     "{Friend_intro} saw {him} and stopped to help.",
     "On the road {he} met {friend_intro}."),
    ("\"I have lost my {thing},\" said {hero}.",
     "\"Have you seen my {thing}?\" asked {hero}.",
     "{hero} told {friend} about the {thing}."),
    ("Together they walked to the {place} and looked behind every stone.",
     "\"Let us look together,\" said {friend}, and they went to the {place}.",
     "{friend} had a good idea and ran to the {place}."),
    ("At last they found the {thing} under an old tree.",
     "There it was, lying in the grass!",
     "Soon {friend} found the {thing} next to the water."),
]

_STORM: list[Step] = [
    ("One evening dark clouds came over the {place}.",
     "One day a great storm began.",
     "That afternoon it started to rain very hard."),
    ("The wind was loud, and {hero} was afraid.",
     "{hero} ran as fast as {he} could to find a dry place.",
     "{hero} was wet and cold and far from home."),
    ("Then {he} saw a light in the dark.",
     "Then {he} heard a small voice calling for help.",
     "In the rain {he} saw an open door."),
    ("It was {friend_intro}, who was waiting for the storm to end.",
     "Inside was {friend_intro}, sitting by a warm fire.",
     "There stood {friend_intro}, and {friend} was afraid too."),
    ("They sat close together and shared some {food}.",
     "\"Come in and have some {food},\" said {friend}.",
     "{friend} gave {him} a blanket and some warm {food}."),
    ("In the morning the sun was shining again.",
     "After an hour the rain stopped and the sky was blue.",
     "When the storm was over, they saw a rainbow above the {place}."),
]

_GIFT: list[Step] = [
    ("{hero} wanted to give {friend} a present.",
     "Tomorrow was the birthday of {friend_intro}.",
     "{hero} had a good friend called {friend}, who felt sad."),
    ("But {he} had no money to buy anything.",
     "{He} did not know what to bring.",
     "{He} thought about it for a long time."),
    ("So {he} went to the {place} to look for something nice.",
     "{He} walked to the {place} and sat down under a tree.",
     "On the way to the {place}, {he} had an idea."),
    ("There {he} found {a_thing}, and {he} made it clean and bright.",
     "{He} took some wood and made {a_thing} with {his} own hands.",
     "In the grass {he} saw {a_thing} that nobody wanted."),
    ("{hero} brought it to {friend} the next day.",
     "\"This is for you,\" said {hero}.",
     "{friend} opened the door and saw the {thing}."),
    ("\"It is the best present I ever had,\" said {friend}.",
     "{friend} was so glad that {hero} laughed too.",
     "\"Thank you, {hero}!\" said {friend} with a big smile."),
]

_RACE: list[Step] = [
    ("One day there was a race at the {place}.",
     "{hero} loved to run, and one day {he} joined a race.",
     "Every summer the animals of {town} held a race to the {place}."),
    ("{Friend_intro} wanted to win as well.",
     "The fastest of all was {friend_intro}.",
     "{He} had to run against {friend_intro}."),
    ("\"I will be first,\" said {friend}.",
     "\"Good luck,\" said {hero}, and the race began.",
     "When the bell rang, they all ran as fast as they could."),
    ("In the middle of the race, {friend} fell over {a_thing}.",
     "Halfway there, {friend} hurt a foot and had to stop.",
     "Near the bridge {friend} slipped and fell into the mud."),
    ("{hero} could have won, but {he} turned back to help.",
     "{hero} stopped at once and helped {friend} to stand up.",
     "\"Hold on to me,\" said {hero}, and they walked on together."),
    ("They came in last, but everyone cheered for them.",
     "They crossed the line side by side, and both of them got a prize.",
     "The winner gave them some {food}, because they had been so kind."),
]

_SECRET: list[Step] = [
    ("One night {hero} found a little door near the {place}.",
     "Behind the {place} there was a path that nobody knew.",
     "One day {he} found an old map with a red cross on it."),
    ("{He} was curious, so {he} took a lamp and went to look.",
     "{hero} asked {friend_intro} to come along.",
     "\"What can it be?\" thought {hero}."),
    ("The way was long and dark, but {he} was not afraid.",
     "{He} walked for an hour and counted every step.",
     "It was so quiet that {he} could hear {his} own heart."),
    ("At the end there was {a_thing}, covered with dust.",
     "In the middle of a small room stood {a_thing}.",
     "There, under a stone, lay {a_thing}."),
    ("{hero} picked it up, and it began to shine.",
     "\"It has been here for a hundred years,\" said {friend}.",
     "{He} showed it to {friend}, who could not believe it."),
    ("They took it to the town hall so that everyone could see it.",
     "{hero} kept the {thing} next to {his} bed.",
     "They put it back and promised to keep the secret."),
]

_COOK: list[Step] = [
    ("One day {hero} was very hungry.",
     "{hero} wanted to make some {food} for {friend}.",
     "On Sunday {hero} cooked a big dinner."),
    ("But there was no {food} in the kitchen.",
     "{He} put a pot on the fire and waited.",
     "{He} went to the market with a basket to buy {food}."),
    ("On the way {he} met {friend_intro}, who was hungry too.",
     "Soon {friend_intro} knocked at the door.",
     "Then {friend_intro} came in, because the {food} smelled so good."),
    ("\"May I have a little?\" asked {friend}.",
     "\"I can help you,\" said {friend}.",
     "{friend} brought {a_thing} to pay for a meal."),
    ("{hero} thought for a moment and then cut the {food} in two.",
     "They washed their hands and cooked together.",
     "\"There is enough for both of us,\" said {hero}."),
    ("It tasted better than ever, because they shared it.",
     "They ate until everything was gone.",
     "When they were full, they sang a song."),
]

_LEARN: list[Step] = [
    ("{hero} wanted to learn how to swim.",
     "{hero} could not read, and that made {him} sad.",
     "More than anything, {hero} wanted to play music."),
    ("{He} tried and tried, but it did not work.",
     "The others laughed at {him}.",
     "At first {he} was too shy to ask for help."),
    ("One day {friend_intro} said, \"I will teach you.\"",
     "Near the {place} {he} met {friend_intro}, who was very patient.",
     "Then {he} asked {friend_intro} for help."),
    ("Every morning they practised by the {place}.",
     "\"You only need a little time,\" said {friend}.",
     "They worked all week, and {friend} was a good teacher."),
    ("Slowly it became easier.",
     "After some days {hero} made the first step.",
     "{hero} did not give up."),
    ("In the end {he} could do it all alone.",
     "Now {hero} is the best in all of {town}.",
     "\"I did it!\" shouted {hero}."),
]

PLOTS: list[list[Step]] = [_LOST, _STORM, _GIFT, _RACE, _SECRET, _COOK, _LEARN]
