"""Control tokens have a text in outputs that ask for it, but for the token that ends it."""

from __future__ import annotations

import pytest

from llamabox import Engine, FinishReason, GenerationParams, InvalidRequest
from tests.models.random_gguf import EOS, IM_END, IM_START

MARKS = GenerationParams(temperature=0, n_predict=3, logit_bias=((IM_START, 1000.0),))


def test_control_tokens_have_no_text(engine: Engine) -> None:
    completion = engine.generate("hello", MARKS)
    assert completion.tokens == (IM_START,) * 3
    assert completion.text == ""


def test_special_renders_control_tokens(engine: Engine) -> None:
    assert engine.generate("hello", MARKS, special=True).text == "<|im_start|>" * 3


def test_stop_strings_match_the_text_of_control_tokens(engine: Engine) -> None:
    completion = engine.generate("hello", MARKS, special=True, stop=("start|><",))
    assert (completion.text, completion.n_output) == ("<|im_", 2)
    assert completion.finish_reason is FinishReason.STOP


def test_log_probabilities_name_the_same_bytes(engine: Engine) -> None:
    completion = engine.generate("hello", MARKS, special=True, n_probs=0)
    assert completion.logprobs is not None
    assert [token.bytes for token in completion.logprobs] == [b"<|im_start|>"] * 3


@pytest.mark.parametrize("token", [EOS, IM_END])
def test_the_token_that_ends_it_has_no_text(engine: Engine, token: int) -> None:
    ends = MARKS.replace(logit_bias=((token, 1000.0),), special=True)
    completion = engine.generate("hello", ends)
    assert (completion.text, completion.tokens) == ("", (token,))
    assert completion.finish_reason is FinishReason.EOG


def test_it_is_a_bool() -> None:
    with pytest.raises(InvalidRequest, match="special"):
        GenerationParams(special="yes")  # type: ignore[arg-type]
