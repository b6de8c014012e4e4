"""Limits of an output that are looked at line by line, and the least length of an output."""

from __future__ import annotations

import pytest

from llamabox import Engine, FinishReason, GenerationParams, InvalidRequest
from tests.models.random_gguf import EOS, IM_END

GREEDY = GenerationParams(temperature=0, seed=1, n_predict=24)
ENDS = ((EOS, 1000.0), (IM_END, 900.0))
WORD = 100


def spelled(text: str) -> str:
    """A grammar that allows this text alone."""
    quoted = text.replace("\n", "\\n").replace("\t", "\\t")
    return f'root ::= "{quoted}"'


def said(engine: Engine, text: str, **options: object) -> tuple[str, FinishReason]:
    """What comes of an output that would be `text` without these options."""
    completion = engine.generate("hello", GREEDY, grammar=spelled(text), n_predict=200, **options)
    return completion.text, completion.finish_reason


@pytest.mark.parametrize(
    ("text", "n_indent", "kept"),
    [
        ("a\n  b\n c", 2, "a\n  b\n "),
        ("a\n\tb\nc", 1, "a\n\tb\n"),
        ("a\n  b\n\n  c", 1, "a\n  b\n"),
        ("a\n    b", 8, "a\n    "),
        ("\nb", 1, "\n"),
    ],
)
def test_a_line_with_too_little_indentation_ends_it(
    engine: Engine, text: str, n_indent: int, kept: str
) -> None:
    assert said(engine, text, n_indent=n_indent) == (kept, FinishReason.LENGTH)


@pytest.mark.parametrize(("text", "n_indent"), [("a\n  b\n   c", 2), ("a b", 4), ("a\nb", 0)])
def test_lines_with_enough_go_on(engine: Engine, text: str, n_indent: int) -> None:
    assert said(engine, text, n_indent=n_indent) == (text, FinishReason.EOG)


def test_a_stop_string_within_the_line_comes_first(engine: Engine) -> None:
    found = said(engine, "a\n  b\nc", n_indent=1, stop=("b",))
    assert found == ("a\n  ", FinishReason.STOP)


def test_when_its_time_is_up_the_next_line_break_ends_it(engine: Engine) -> None:
    text = "ab" * 30 + "\ncd\nef"
    found = said(engine, text, max_predict_time=1e-9)
    assert found == ("ab" * 30 + "\n", FinishReason.LENGTH)
    assert said(engine, text, max_predict_time=1000.0) == (text, FinishReason.EOG)
    assert said(engine, "a b c", max_predict_time=1e-9) == ("a b c", FinishReason.EOG)


def test_no_token_ends_it_before_the_least_length(engine: Engine) -> None:
    ends = GREEDY.replace(logit_bias=ENDS)
    assert engine.generate("hello", ends).n_output == 1
    completion = engine.generate("hello", ends, n_predict_min=7)
    assert completion.n_output == 8
    assert completion.finish_reason is FinishReason.EOG
    assert not set(completion.tokens[:7]) & {EOS, IM_END}
    assert completion.tokens[7] == EOS


def test_the_least_length_leaves_the_other_tokens_as_they_are(engine: Engine) -> None:
    free = engine.generate("hello", GREEDY, ignore_eos=True)
    assert engine.generate("hello", GREEDY, n_predict_min=24).tokens == free.tokens


def test_it_holds_for_sampled_tokens(engine: Engine) -> None:
    params = GenerationParams(
        seed=3, n_predict=40, n_predict_min=20, logit_bias=((EOS, 30.0),), n_probs=2
    )
    completion = engine.generate("hello " * 20, params)
    assert completion.n_output > 20
    assert not set(completion.tokens[:20]) & {EOS, IM_END}


def test_it_holds_for_drafted_tokens(engine: Engine) -> None:
    """A draft goes beyond the least length; all of it is one token, which goes on until then."""
    again = ((WORD, 500.0), *ENDS)
    with Engine(engine.model, engine.params.replace(lookup_ngram_min=1)) as drafting:
        drafting._scheduler.speculation.lengths.costs.fix(1e6)
        completion = drafting.generate("hello", GREEDY, logit_bias=again, n_predict_min=20)
    assert completion.tokens == (WORD,) * 20 + (EOS,)
    assert completion.n_draft_accepted > 0


def test_a_stop_string_before_the_least_length_is_text(engine: Engine) -> None:
    text = engine.generate("hello", GREEDY, ignore_eos=True).text
    stop = text[:2]
    n_first = engine.generate("hello", GREEDY, ignore_eos=True, stop=(stop,)).n_output
    completion = engine.generate(
        "hello", GREEDY, ignore_eos=True, stop=(stop,), n_predict_min=n_first
    )
    assert completion.text.startswith(stop)
    assert completion.n_output > n_first


def test_a_grammar_at_its_end_wins(engine: Engine) -> None:
    completion = engine.generate("hello", GREEDY, grammar=spelled("ab"), n_predict_min=20)
    assert (completion.text, completion.finish_reason) == ("ab", FinishReason.EOG)


def test_a_slot_is_taken_if_it_is_idle(engine: Engine) -> None:
    for slot in (2, 0, 3):
        assert engine.generate("hello", GREEDY, slot=slot).slot == slot
    first = engine.stream("hello", GREEDY, n_predict=500, ignore_eos=True, slot=3)
    next(first)
    assert engine.generate("hello", GREEDY, slot=3).slot in (0, 1, 2)
    first.close()
    with pytest.raises(InvalidRequest, match="slot") as caught:
        engine.generate("hello", GREEDY, slot=4)
    assert caught.value.param == "slot"


def test_ignore_eos_goes_on_to_the_limit(engine: Engine) -> None:
    completion = engine.generate("hello", GREEDY, logit_bias=ENDS, ignore_eos=True)
    assert completion.n_output == 24
    assert completion.finish_reason is FinishReason.LENGTH
