"""Reasoning through the engine: what the prompt opens, how long it may be, what follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from llamabox import (
    Completion,
    Engine,
    EngineParams,
    FinishReason,
    GenerationParams,
    Model,
    Prompt,
    ReasoningParams,
)
from llamabox.api import Conversation
from llamabox.api.chat import ChatTemplate
from llamabox.api.formats.harmony import HARMONY
from llamabox.api.thinking import Thinking, begin_thinking, find_tags, tags_of, thinking_of
from llamabox.api.turn import Turn

PARAMS = EngineParams(n_ctx=512, n_parallel=3, flash_attention="off", kv_layout="unified")
GREEDY = GenerationParams(temperature=0, seed=0, n_predict=48)
QUESTION = [{"role": "user", "content": "Tell me a long story about a dog."}]
OPENS = """\
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content.split('</think>')[-1] }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if not obeys or enable_thinking %}<think>
{% else %}<think>

</think>

{% endif %}{% endif %}"""
"""A template that opens the tag; if `obeys` is given, only where there is to be reasoning."""
FORCED = "\n</think>\n\n"
QWEN_LIKE = """\
{%- for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' %}{% set content = m.content or '' %}
{%- set reasoning = m.reasoning_content or '' %}
{%- if '</think>' in content %}
{%- set reasoning = content.split('</think>')[0].split('<think>')[-1] %}
{%- set content = content.split('</think>')[-1].lstrip() %}
{%- endif %}<think>
{{ reasoning.strip() }}
</think>

{{ content }}{% else %}{{ m.content }}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
QWQ_LIKE = """\
{%- for m in messages %}<|im_start|>{{ m.role }}
{% if m.reasoning_content %}<think>
{{ m.reasoning_content }}</think>{% endif %}
{{- (m.content or '').split('</think>')[-1] }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
<think>
{% endif %}"""
HIDES = """\
{%- for m in messages if m.role == 'user' %}{{ m.content }}{{ '</think>' if 0 }}
{% endfor %}{% if add_generation_prompt %}<think>
{% endif %}"""
"""One that leaves out what the assistant said."""
ASKED_IN_PARTS = [{"type": "text", "text": "What does <think> mean? hi"}]


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with Model.load() as loaded:
        yield loaded


@pytest.fixture(scope="module")
def engine(model: Model) -> Iterator[Engine]:
    with Engine(model, PARAMS, chat_template=OPENS) as engine:
        yield engine


@pytest.fixture(scope="module")
def unbounded(engine: Engine) -> Completion:
    return think(engine)


def prompt_of(engine: Engine, variables: dict[str, Any] | None = None, **options: Any) -> Prompt:
    return asyncio.run(
        engine.prepare_chat(
            QUESTION, template_kwargs=variables, reasoning=ReasoningParams(**options)
        )
    )


def think(
    engine: Engine,
    params: GenerationParams = GREEDY,
    variables: dict[str, Any] | None = None,
    **options: Any,
) -> Completion:
    return engine.generate(prompt_of(engine, variables, **options), params)


class TestPrompt:
    def test_the_template_opens_it(self, engine: Engine):
        prompt = prompt_of(engine)
        assert prompt.text.endswith("<think>\n")
        assert prompt.turn is not None
        assert prompt.turn.thinking.is_open

    @pytest.mark.parametrize("off", [{"enabled": False}, {"budget": 0}, {"effort": "none"}])
    @pytest.mark.parametrize("variables", [{}, {"obeys": True}])
    def test_it_is_closed_where_there_is_to_be_none(
        self, engine: Engine, off: dict[str, Any], variables: dict[str, Any]
    ):
        prompt = prompt_of(engine, variables, **off)
        assert prompt.text.endswith("<think>\n\n</think>\n\n")
        assert prompt.turn is not None
        assert not prompt.turn.thinking.is_open

    def test_a_variable_of_the_caller_turns_it_off(self, engine: Engine):
        prompt = prompt_of(engine, {"enable_thinking": False})
        assert prompt.text.endswith("</think>\n\n")

    def test_reasoning_that_was_begun_is_gone_on_with(self, engine: Engine):
        begun = {"role": "assistant", "content": "<think>The dog is"}
        prompt = asyncio.run(
            engine.prepare_chat(
                [*QUESTION, begun], continue_final_message=True, add_generation_prompt=False
            )
        )
        completion = engine.generate(prompt, GREEDY.replace(n_predict=8))
        assert completion.message is not None
        assert completion.message.reasoning
        assert not completion.message.content

    def test_a_format_that_reasons_is_told_how_the_prompt_ends(self, engine: Engine):
        use = Conversation(messages=QUESTION).tool_use()
        assert HARMONY.reasoning is not None
        tags = HARMONY.reasoning.tags
        for told, expected in (
            ("auto", ("why", "yes")),
            ("none", (None, f"why{tags.closing}yes")),
            ("deepseek-legacy", ("why", f"{tags.opening}why{tags.closing}yes")),
        ):
            thinking = Thinking(tags, is_open=True)
            turn = Turn.begin(HARMONY, use, engine.constraints, thinking, reasoning_format=told)
            output = turn.output()
            output.feed("why<|end|><|start|>assistant<|channel|>final<|message|>yes", is_last=True)
            message = output.message()
            assert (message.reasoning, message.content) == expected
            assert turn.params(GREEDY).special

    def test_text_of_the_user_opens_nothing(self, engine: Engine):
        template = ChatTemplate("{{ messages[0].content }}:{% if 0 %}</think>{% endif %}")
        text = template.render([{"role": "user", "content": "<think>"}])
        tokenizer = engine.model.tokenizer
        known = thinking_of(find_tags(template.source), tokenizer)
        thinking = begin_thinking(known, text, tokenizer)
        assert thinking is not None
        assert not thinking.is_open

    def test_other_prompts_have_none(self, engine: Engine):
        assert engine.generate("<think>", GREEDY, n_predict=3).n_reasoning == 0


class TestBegun:
    """Of a message that is to be continued, what was said before says nothing."""

    @pytest.mark.parametrize("asked", ["hi", "think", ASKED_IN_PARTS], ids=str)
    @pytest.mark.parametrize("source", [QWEN_LIKE, QWQ_LIKE, HIDES])
    @pytest.mark.parametrize(
        ("begun", "is_open"),
        [
            ({"content": "<think>\nThe user says hi"}, True),
            ({"content": [{"type": "text", "text": "<think>\nThe user says hi"}]}, True),
            ({"content": "<think>\nhi\n</think>\n\nI think hi"}, False),
            ({"content": "I think hi"}, None),
            ({"content": ""}, None),
            ({"reasoning_content": "The user says hi"}, True),
        ],
    )
    def test_it_may_end_inside_the_tags(
        self, engine: Engine, source: str, asked: Any, begun: dict[str, Any], is_open: bool | None
    ):
        """None: the template decides, which opens them in front of an answer, or does not."""
        if source == HIDES and "content" not in begun:
            return
        template = ChatTemplate(source)
        messages = [{"role": "user", "content": asked}, {"role": "assistant", **begun}]
        conversation = Conversation(messages=messages, continue_final_message=True)
        prompt = conversation.render(template)
        told = conversation.begun()
        tokenizer = engine.model.tokenizer
        known = thinking_of(tags_of(template), tokenizer)
        thinking = begin_thinking(known, prompt, tokenizer, begun=told)
        assert thinking is not None
        assert thinking.is_open is ((source == HIDES) if is_open is None else is_open)
        assert thinking.is_begun is (thinking.is_open and begun != {"content": ""})

    def test_it_is_closed_where_there_is_to_be_none(self, engine: Engine):
        template = ChatTemplate(QWEN_LIKE)
        begun = {"role": "assistant", "reasoning_content": "The user says hi"}
        conversation = Conversation(
            messages=[*QUESTION, begun],
            continue_final_message=True,
            reasoning=ReasoningParams(enabled=False),
        )
        prompt = conversation.render(template)
        assert prompt.endswith("The user says hi\n\n</think>\n\n")
        told = conversation.begun()
        tokenizer = engine.model.tokenizer
        known = thinking_of(tags_of(template), tokenizer)
        thinking = begin_thinking(known, prompt, tokenizer, begun=told)
        assert thinking is not None
        assert not thinking.is_open


class TestBudget:
    def test_without_one_it_goes_on(self, unbounded: Completion):
        assert "</think>" not in unbounded.text
        assert unbounded.n_reasoning == unbounded.n_output > 30

    @pytest.mark.parametrize("budget", [1, 5, 20])
    def test_its_end_is_forced(self, engine: Engine, unbounded: Completion, budget: int):
        completion = think(engine, budget=budget)
        tokenizer = engine.model.tokenizer
        forced = tuple(tokenizer.encode(FORCED, add_special=False).tolist())
        assert completion.tokens[:budget] == unbounded.tokens[:budget]
        assert completion.tokens[budget : budget + len(forced)] == forced
        assert completion.text.startswith(tokenizer.decode(unbounded.tokens[:budget]) + FORCED)
        n_closed = next(
            n
            for n in range(completion.n_output)
            if "</think>" in tokenizer.decode(completion.tokens[:n])
        )
        assert completion.n_reasoning == n_closed
        assert completion.n_output > budget + len(forced)

    def test_none_leaves_no_reasoning(self, engine: Engine):
        completion = think(engine, budget=0)
        assert completion.n_reasoning == 0
        assert completion.text

    def test_a_chat_has_a_message_of_both(self, engine: Engine):
        completion = engine.chat(QUESTION, GREEDY, reasoning=ReasoningParams(budget=5))
        assert completion.message is not None
        reasoning, _, content = completion.text.partition(FORCED)
        assert completion.message.reasoning == reasoning.strip()
        assert completion.message.content == content.lstrip()

    def test_a_message_comes_in_front_of_the_tag(self, engine: Engine):
        completion = think(engine, budget=3, budget_message="Enough.")
        assert "\nEnough.\n</think>\n\n" in completion.text

    def test_it_counts_towards_the_length(self, engine: Engine):
        completion = think(engine, GREEDY.replace(n_predict=6), budget=5)
        assert completion.finish_reason is FinishReason.LENGTH
        assert completion.n_output == completion.n_reasoning == 6

    def test_stop_strings_see_it(self, engine: Engine):
        completion = think(engine, GREEDY.replace(stop=("</think>",)), budget=5)
        assert completion.stop_string == "</think>"
        assert completion.n_reasoning == completion.n_output

    @pytest.mark.parametrize("post_sampling", [False, True])
    def test_forced_tokens_have_probabilities(self, engine: Engine, post_sampling: bool):
        params = GREEDY.replace(
            n_probs=2, post_sampling_probs=post_sampling, temperature=1, n_predict=12
        )
        completion = think(engine, params, budget=2)
        assert completion.logprobs is not None
        assert [each.token for each in completion.logprobs] == list(completion.tokens)
        forced = completion.logprobs[2]
        assert (forced.logprob == 0) is post_sampling

    def test_each_choice_has_its_own(self, engine: Engine):
        prompt = prompt_of(engine, budget=4)
        params = GREEDY.replace(temperature=1.0, seed=3, n_predict=16)
        for completion in engine.generate_choices(prompt, params, n=3):
            assert FORCED in completion.text
            assert completion.n_reasoning >= 5


class TestGrammar:
    GRAMMAR = 'root ::= "yes" | "no"'

    def test_waits_for_the_end(self, engine: Engine, unbounded: Completion):
        completion = think(engine, GREEDY.replace(grammar=self.GRAMMAR), budget=5)
        reasoning, _, answer = completion.text.partition(FORCED)
        assert unbounded.text.startswith(reasoning)
        assert answer in ("yes", "no")
        assert completion.finish_reason is FinishReason.EOG

    def test_holds_from_the_start_where_nothing_is_opened(self, engine: Engine):
        completion = think(engine, GREEDY.replace(grammar=self.GRAMMAR), enabled=False)
        assert completion.text in ("yes", "no")
        assert completion.n_reasoning == 0


class TestWithOthers:
    def test_drafts_change_nothing(self, model: Model, engine: Engine):
        repeated = [{"role": "user", "content": "Repeat this text: the cat, the cat, the cat"}]
        with Engine(model, PARAMS.replace(lookup_ngram_min=1), chat_template=OPENS) as drafting:
            for budget in (1, 2, 5, 9, 20):
                answers = []
                for each in (engine, drafting):
                    prompt = asyncio.run(
                        each.prepare_chat(repeated, reasoning=ReasoningParams(budget=budget))
                    )
                    answers.append(each.generate(prompt, GREEDY.replace(grammar=GRAMMAR_OF_A)))
                assert answers[0].tokens == answers[1].tokens
                assert answers[0].n_reasoning == answers[1].n_reasoning
            assert drafting.stats().n_drafted > 0

    def test_a_context_shift_changes_nothing_about_it(self, model: Model):
        small = PARAMS.replace(n_ctx=64, context_shift=True)
        with Engine(model, small, chat_template=OPENS) as shifting:
            params = GREEDY.replace(n_predict=120, ignore_eos=True)
            completion = think(shifting, params, budget=80)
        assert completion.truncated
        decoded = model.tokenizer.decode(completion.tokens[80:])
        assert decoded.startswith(FORCED)

    def test_preemption_changes_nothing_about_it(self, model: Model, engine: Engine):
        params = GREEDY.replace(ignore_eos=True, n_predict=240)
        expected = think(engine, params, budget=150)
        with Engine(model, PARAMS.replace(n_ctx=320), chat_template=OPENS) as scarce:
            prompt = prompt_of(scarce, budget=150)
            streams = [scarce.stream(prompt, params, priority=i) for i in range(3)]
            completions = [stream.completion() for stream in streams]
            assert scarce.stats().n_preempted > 0
        for completion in completions:
            assert completion.tokens == expected.tokens
            assert completion.n_reasoning == expected.n_reasoning


GRAMMAR_OF_A = 'root ::= "a"+'
