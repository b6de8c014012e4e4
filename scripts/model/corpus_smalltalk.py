"""Greetings, small talk, questions about the model itself, and questions it cannot answer."""

from __future__ import annotations

import random

from corpus_types import Document, fill, polite, turn, vary
from smalltalk_lines import INTENTS
from words import CITIES, COUNTRIES, FIRST_NAMES, THINGS, TOPICS, a, invented_name, invented_word
from world import TOWN

_UNKNOWN_QUESTIONS = (
    "What is {topic}?", "Tell me about {topic}.", "Explain {topic}.",
    "What do you know about {topic}?",
    "Can you explain {topic} to me?", "How does {topic} work?", "Why is {topic} important?",
    "Who invented {topic}?", "Explain {topic} in simple words.", "Describe {topic}.",
    "What can you tell me about {topic}?", "Teach me about {topic}.",
    "Give me a summary of {topic}.",
    "Write an essay about {topic}.", "What are the main ideas of {topic}?",
    "Write a paragraph about {topic}.", "When did {topic} begin?",
    "What is the best book about {topic}?", "Do you like {topic}?", "Is {topic} hard to learn?",
    "Explain {topic} like I am five.", "Give me three facts about {topic}.",
    "What is the history of {topic}?", "What is the meaning of {topic}?", "Define {topic}.",
)
_UNKNOWN_ANSWERS = (
    "I am sorry, I do not know much about {topic}. I only know the little town of {town}.",
    "I do not know anything about {topic}. I am a very small model.",
    "Sorry, I cannot tell you about {topic}. I can tell you about {town} instead.",
    "That is a good question, but {topic} is too big for a small model like me.",
)
_COUNTRY_QUESTIONS = (
    "What is the capital of {topic}?", "Where is {topic}?", "How many people live in {topic}?",
    "What language do people speak in {topic}?", "Who is the president of {topic}?",
    "Tell me about {topic}.", "What is the largest city in {topic}?", "How far away is {topic}?",
    "What is the population of {topic}?", "Have you ever been to {topic}?",
    "What is {topic} famous for?", "Is {topic} a nice place?", "Which river runs through {topic}?",
)
_COUNTRY_ANSWERS = (
    "I am sorry, I do not know much about {topic}. I only know the little town of {town}.",
    "I do not know that. I have never been to {topic}, I only know {town}.",
    "Sorry, I cannot answer questions about {topic}. I only know the town of {town}.",
)
_PERSON_QUESTIONS = (
    "Who is {topic}?", "Who was {topic}?", "Tell me about {topic}.", "Do you know {topic}?",
    "Where does {topic} live?", "What is {topic} famous for?", "How old is {topic}?",
)
_PERSON_ANSWERS = (
    "I am sorry, I do not know who {topic} is. I only know the people of {town}.",
    "I do not know anybody named {topic}. I only know the people of {town}.",
)
_TASKS = (
    "Write a Python function that {task}.", "Write a program that {task}.",
    "Write code that {task}.",
    "Can you write a script that {task}?", "How do I write a function that {task}?",
    "Write a SQL query that {task}.", "Implement a class that {task}.",
)
_TASK_ENDS = (
    "adds two numbers,sorts a list,reads a file,prints hello world,reverses a string,"
    "finds prime numbers,counts words,sends an email,parses JSON,draws a circle,"
    "downloads a page,computes the factorial,selects all users,opens a window"
).split(",")
_TASK_ANSWERS = (
    "I am sorry, I cannot write programs. I am a very small model.",
    "Sorry, I do not know how to write code. I can tell you a story instead.",
)
_HOWTO = (
    "How do I {act}?", "How can I {act}?", "What is the best way to {act}?", "Help me to {act}.",
    "Can you help me to {act}?", "I want to {act}. What should I do?", "Why should I {act}?",
)
_ACTS = (
    "cook rice,fix my bicycle,learn English,lose weight,sleep better,make money,find a job,"
    "write a letter,bake a cake,install Linux,train a dog,grow tomatoes,build a house,"
    "learn to swim,pass my exam,save energy,clean my room,plan a trip,make friends,boil an egg,"
    "play the guitar,repair a car,stop worrying,paint a wall,read faster,run a server"
).split(",")
_HOWTO_ANSWERS = (
    "I am sorry, I do not know how to {act}. I am only a small model.",
    "I cannot help you to {act}, but I can tell you about {town}.",
)
_ODD_QUESTIONS = (
    "Who won the game last night?", "What is the price of gold?", "Who wrote Hamlet?",
    "Translate this sentence into French.", "What is the square root of 144?",
    "Summarize the following article.", "Who is the president?", "How tall is Mount Everest?",
    "What happened in 1969?", "Which film should I watch tonight?", "What is the meaning of life?",
    "How many stars are there?", "Is there life on Mars?", "What is the fastest car?",
    "What should I wear today?", "Who discovered America?", "When was the war?",
    "How much does a house cost?", "What will happen tomorrow?", "Can you read my mind?",
    "What is the latest news?", "Who is the richest person in the world?", "Why is the sky blue?",
    "What is the distance to the moon?", "How do airplanes fly?", "Why do we dream?",
)
_ODD_ANSWERS = (
    "I am sorry, I do not know that. I only know the little town of {town}.",
    "I do not know the answer. I am a very small model.",
    "That is a hard question, and I do not know the answer.",
)


def _unknown_topic(rng: random.Random) -> str:
    """Return something that the model knows nothing about, often an invented word."""
    roll = rng.random()
    if roll < 0.6:
        return rng.choice(TOPICS)
    if roll < 0.75:
        return a(rng.choice(THINGS)) + " " + invented_word(rng)
    if roll < 0.9:
        return invented_word(rng)
    return f"{invented_word(rng)} {invented_word(rng)}"


def unknown_chat(rng: random.Random) -> Document:
    """A question outside the little world, and a polite refusal in a whole sentence."""
    roll = rng.random()
    topic = act = ""
    if roll < 0.40:
        questions, answers, topic = _UNKNOWN_QUESTIONS, _UNKNOWN_ANSWERS, _unknown_topic(rng)
    elif roll < 0.62:
        questions, answers = _COUNTRY_QUESTIONS, _COUNTRY_ANSWERS
        topic = rng.choice(COUNTRIES + CITIES) if rng.random() < 0.85 else invented_name(rng)
    elif roll < 0.72:
        questions, answers = _PERSON_QUESTIONS, _PERSON_ANSWERS
        topic = rng.choice(FIRST_NAMES) if rng.random() < 0.5 else invented_name(rng)
        topic += " " + invented_name(rng)
    elif roll < 0.80:
        questions, answers = _TASKS, _TASK_ANSWERS
    elif roll < 0.90:
        questions, answers, act = _HOWTO, _HOWTO_ANSWERS, rng.choice(_ACTS)
    else:
        questions, answers = _ODD_QUESTIONS, _ODD_ANSWERS
    question = fill(rng, questions, topic=topic, act=act, task=rng.choice(_TASK_ENDS))
    answer = fill(rng, answers, topic=topic, act=act, town=TOWN)
    return Document(kind="unknown", messages=turn(vary(rng, question), answer))


def smalltalk_chat(rng: random.Random) -> Document:
    """One exchange of small talk."""
    prompts, answers = rng.choice(INTENTS)
    name = rng.choice(FIRST_NAMES) if rng.random() < 0.7 else invented_name(rng)
    prompt = fill(rng, prompts, name=name)
    if rng.random() < 0.1:
        prompt = rng.choice(("Hello! ", "Hi! ", "Hey, ", "Hello. ", "Good morning. ")) + prompt
    answer = fill(rng, answers, name=name, town=TOWN)
    return Document(kind="smalltalk", messages=turn(vary(rng, prompt), answer))


_SAY_WORDS = (
    "hello,hi,yes,no,goodbye,thank you,good morning,banana,something nice,please,welcome,ok,"
    "hello world,good night,cheese,I am here,one two three,ready,pong,done,test"
).split(",")


def say_chat(rng: random.Random) -> Document:
    """A request to say or write a word, and just that word as a sentence."""
    word = rng.choice(_SAY_WORDS) if rng.random() < 0.5 else invented_word(rng)
    request = fill(
        rng,
        ("Say {word}.", "Just say {word}.", "Say the word {word}.", "Write the word {word}.",
         "Say {word} to me.", "Answer with {word}.", "Reply with {word}.", "Only say {word}.",
         "Say \"{word}\".", "Reply with the word \"{word}\".", "Say {word} in one word."),
        word=word,
    )
    answer = "You are very kind." if word == "something nice" else word[0].upper() + word[1:]
    if answer[-1] != ".":
        answer += "!" if word in ("hello", "hi", "welcome", "goodbye") else "."
    return Document(kind="say", messages=turn(vary(rng, polite(rng, request)), answer))


def memory_chat(rng: random.Random) -> Document:
    """A user who says something about themselves and asks about it later."""
    name = rng.choice(FIRST_NAMES) if rng.random() < 0.5 else invented_name(rng)
    thing = rng.choice(THINGS) if rng.random() < 0.7 else invented_word(rng)
    facts = (
        ("My name is {x}.", "Nice to meet you, {x}!", "What is my name?", "Your name is {x}.",
         name),
        ("I am {x}.", "Hello {x}, nice to meet you!", "Do you remember my name?",
         "Yes, your name is {x}.", name),
        ("I have {x}.", "That is nice. I would like to have {x} too.", "What do I have?",
         "You have {x}.", a(thing)),
        ("The secret word is {x}.", "I will remember the secret word.", "What is the secret word?",
         "The secret word is {x}.", thing),
        ("I live in {x}.", "{x} sounds like a nice place.", "Where do I live?",
         "You live in {x}.", rng.choice(CITIES)),
        ("I am looking for my {x}.", "I hope that you find your {x} soon.",
         "What am I looking for?", "You are looking for your {x}.", thing),
    )
    said, reply, question, answer, x = rng.choice(facts)
    messages = turn(vary(rng, said.format(x=x)), reply.format(x=x))
    if rng.random() < 0.5:
        messages += smalltalk_chat(rng).messages
    messages += turn(vary(rng, question), answer.format(x=x))
    return Document(kind="memory", messages=messages)
