"""Families of tools: the names, parameters, requests, results and answers of each.

A family is read from one block of lines. `name`, `about`, `ask` and `answer` list alternatives;
`arg` is a slot: its source of values, then the parameter names it may have; `out` is a result
slot and its source. Requests and answers use the slots in braces.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One argument or result: where its values come from and the keys it may be called."""

    slot: str
    source: str
    keys: tuple[str, ...]


@dataclass(kw_only=True)
class ToolFamily:
    """Tools that do the same thing under different names."""

    name: list[str] = field(default_factory=list)
    about: list[str] = field(default_factory=list)
    ask: list[str] = field(default_factory=list)
    answer: list[str] = field(default_factory=list)
    args: list[Slot] = field(default_factory=list)
    outs: list[Slot] = field(default_factory=list)


_TABLE = """
name: get_weather | weather | get_current_weather | current_weather | fetch_weather | weather_now
name: get_weather | get_forecast | check_weather
about: Get the weather in a city. | Returns the current weather for a place. | Current weather
about: Get the current weather for a given location. | Tells how the weather is. | Weather lookup.
arg: place city location,city,place,town,where
out: degrees temperature temperature,degrees,temp,temperature_c
out: sky sky condition,weather,sky,conditions,summary
ask: What is the weather in {place}? | How is the weather in {place}? | Is it raining in {place}?
ask: What is the weather like in {place}? | Tell me the weather in {place}. | Weather in {place}?
ask: What's the weather in {place}? | What's the weather like in {place} today? | {place} weather
ask: How warm is it in {place}? | Do I need an umbrella in {place}? | Is it cold in {place} today?
ask: What is the temperature in {place}? | Check the weather in {place}. | How is it in {place}?
ask: What is the weather in {place} right now? | What is the weather in {place} today?
answer: It is {sky} and {degrees} degrees in {place}.
answer: In {place} it is {degrees} degrees and {sky}.

name: get_time | current_time | get_current_time | time_in | clock | what_time
about: Get the current time in a city. | Returns the time. | Tells what time it is somewhere.
arg: place city city,location,timezone,place,town
out: time clock time,current_time,clock,now
ask: What time is it in {place}? | Tell me the time in {place}. | What is the time in {place}?
ask: What time is it in {place} now? | Time in {place}? | How late is it in {place}?
answer: It is {time} in {place}. | The time in {place} is {time}.

name: add | add_numbers | sum | plus | sum_numbers | addition
about: Add two numbers. | Returns the sum of two numbers. | Adds a and b.
arg: a number a,x,first,left,num1
arg: b number b,y,second,right,num2
out: sum sum:a:b result,sum,total,answer,value
ask: What is {a} plus {b}? | Add {a} and {b}. | What is {a} + {b}? | How much is {a} plus {b}?
ask: Please add {a} and {b}. | {a} + {b} | What is the sum of {a} and {b}? | Calculate {a} + {b}.
answer: {a} plus {b} is {sum}. | The sum of {a} and {b} is {sum}. | The result is {sum}.

name: multiply | multiply_numbers | times | product | mul
about: Multiply two numbers. | Returns the product of two numbers.
arg: a number a,x,first,left,num1
arg: b number b,y,second,right,num2
out: product product:a:b result,product,answer,value
ask: What is {a} times {b}? | Multiply {a} by {b}. | What is {a} * {b}? | How much is {a} times {b}?
ask: Multiply {a} and {b}. | What is the product of {a} and {b}? | Calculate {a} * {b}.
answer: {a} times {b} is {product}. | The result is {product}.

name: calculator | calculate | evaluate | calc | compute | solve | eval_expression
about: Calculate an expression. | Evaluates a mathematical expression. | A simple calculator.
arg: sum expression expression,formula,input,expr,query
out: value number result,value,answer
ask: What is {sum}? | Calculate {sum}. | Compute {sum}. | How much is {sum}? | Evaluate {sum}.
ask: Please calculate {sum}. | Use the calculator: {sum} | Can you work out {sum}?
answer: The result of {sum} is {value}. | {sum} is {value}. | The answer is {value}.

name: find_person | lookup_person | get_person | person_info | who_is | search_people
about: Look up a person. | Find facts about a person in the town.
about: Returns what is known of a person.
arg: person person name,person,who,full_name
out: job job job,profession,work
out: street street street,address,home
ask: Who is {person}? | Look up {person}. | Find {person}. | What do you know about {person}?
ask: Tell me about {person}. | Where does {person} live? | What does {person} do?
answer: {person} is a {job} and lives on {street}.

name: lookup | lookup_fact | search | web_search | search_web | wiki | get_article
about: Look up a topic. | Search for information. | Search the web for a query.
arg: topic topic query,topic,subject,q,term,text
out: fact fact result,text,summary,answer,content
ask: Search for {topic}. | Look up {topic}. | Find information about {topic}.
ask: Search the web for {topic}.
ask: What does the web say about {topic}? | Find something about {topic}. | Google {topic}.
answer: This is what I found: {fact} | I found this about {topic}: {fact}

name: set_timer | start_timer | timer | countdown
about: Start a timer. | Set a timer for some minutes. | Starts a countdown.
arg: minutes small minutes,duration,time,length
out: status done status,state,result
ask: Set a timer for {minutes} minutes. | Start a timer of {minutes} minutes.
ask: Timer for {minutes} minutes.
ask: Wake me in {minutes} minutes. | Remind me in {minutes} minutes.
answer: The timer is set for {minutes} minutes. | I have set a timer for {minutes} minutes.

name: send_message | send_email | message | text_person | write_message
about: Send a message to somebody. | Sends a short text to a person.
arg: person person to,recipient,person,name
arg: text phrase text,message,body,content
out: status done status,state,result
ask: Send "{text}" to {person}. | Tell {person}: {text} | Write to {person}: {text}
ask: Send a message to {person}: {text} | Send {person} the message "{text}".
answer: I have sent the message to {person}. | Your message to {person} has been sent.

name: translate | translate_text | translator
about: Translate a text into another language. | Translates text.
arg: text phrase text,sentence,input,phrase
arg: language language language,target,to,target_language
out: result invented translation,result,text
ask: Translate "{text}" into {language}. | How do you say "{text}" in {language}?
ask: Translate this into {language}: {text}
answer: In {language} that is: {result} | The translation is: {result}

name: set_light | switch_light | light | control_light | lamp
about: Switch a light on or off. | Controls the light in a room.
arg: room room room,place,where,location
arg: state onoff state,action,mode,power
out: status done status,state,result
ask: Turn {state} the light in the {room}. | Switch {state} the {room} light.
ask: Turn the light in the {room} {state}. | Please switch the light in the {room} {state}.
answer: The light in the {room} is {state} now. | I have turned the light in the {room} {state}.

name: order_food | order | place_order | buy
about: Order food. | Orders something to eat.
arg: dish food dish,item,food,product
arg: count small count,amount,quantity,number
out: price price price,cost,total
ask: Order {count} {dish}. | I want to order {count} {dish}. | Please order {count} {dish} for me.
ask: Buy {count} {dish}.
answer: I have ordered {count} {dish} for {price} coins.
answer: Your order of {count} {dish} costs {price} coins.

name: get_population | population | count_people | inhabitants
about: Get the number of people in a country. | Returns the population.
arg: land country country,place,name,region
out: people big population,people,count,result
ask: How many people live in {land}? | What is the population of {land}? | Population of {land}?
answer: {people} people live in {land}. | The population of {land} is {people}.

name: get_capital | capital | capital_of | country_info
about: Get the capital of a country. | Returns the capital city.
arg: land country country,name,nation
out: town city capital,city,result
ask: What is the capital of {land}? | Which city is the capital of {land}? | Capital of {land}?
answer: The capital of {land} is {town}.

name: get_distance | distance | route_length | how_far
about: Get the distance between two cities. | Returns the distance in kilometres.
arg: start city from,start,origin,a
arg: goal city to,end,destination,b
out: length big distance,km,kilometres,result
ask: How far is it from {start} to {goal}? | What is the distance from {start} to {goal}?
ask: How far is {goal} from {start}? | Distance between {start} and {goal}?
answer: It is {length} kilometres from {start} to {goal}.

name: get_price | stock_price | price_of | lookup_price
about: Get the price of a thing. | Returns the current price.
arg: item thing item,product,name,symbol
out: price price price,cost,value
ask: What is the price of {item}? | How much does the {item} cost? | What does the {item} cost?
answer: The {item} costs {price} coins. | The price of the {item} is {price} coins.

name: read_file | open_file | cat_file | get_file
about: Read a file. | Returns the text of a file.
arg: path file path,file,filename,name
out: text sentence content,text,data,result
ask: Read the file {path}. | What is in {path}? | Show me {path}. | Open {path}. | Read {path}.
answer: The file {path} says: {text} | This is in {path}: {text}

name: play_song | play_music | play | start_song
about: Play a song. | Plays music.
arg: song phrase title,song,name,track
out: status done status,state,result
ask: Play {song}. | Play the song {song}. | I want to hear {song}.
answer: Now you can hear {song}. | I am playing {song} for you.

name: count_letters | word_length | count_characters | letters
about: Count the letters of a word. | Returns the length of a word.
arg: word invented word,text,input,string
out: count length:word count,length,letters,result
ask: How many letters are in {word}? | Count the letters in {word}. | How long is the word {word}?
answer: The word {word} has {count} letters. | {word} has {count} letters.

name: get_date | today | current_date | get_today
about: Get the date of today. | Returns the current date.
out: day date date,today,day,result
ask: What day is it today? | What is the date? | What is the date today? | Which day is today?
answer: Today is {day}. | The date today is {day}.

name: roll_dice | random_number | dice | roll
about: Roll a dice. | Returns a random number.
out: value small result,value,number,dice
ask: Roll a dice. | Roll the dice. | Give me a random number. | Throw a dice.
answer: You rolled a {value}. | The number is {value}.
"""


def _slot(text: str) -> Slot:
    """Read "slot source key,key"."""
    slot, source, keys = text.split(" ", 2)
    return Slot(slot=slot, source=source, keys=tuple(keys.split(",")))


def _read_family(block: str) -> ToolFamily:
    """Read one block of the table."""
    family = ToolFamily()
    for line in block.splitlines():
        field_name, _, rest = line.partition(": ")
        if field_name == "arg":
            family.args.append(_slot(rest))
        elif field_name == "out":
            family.outs.append(_slot(rest))
        else:
            getattr(family, field_name).extend(part.strip() for part in rest.split(" | "))
    return family


FAMILIES = [_read_family(block) for block in _TABLE.strip().split("\n\n")]
