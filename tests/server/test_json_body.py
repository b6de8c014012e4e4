"""Bodies of more values than a request can have a use for."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from llamabox import InvalidRequest
from llamabox.server.json_body import MAX_VALUES, json_array, json_object
from tests.server.test_bad_input import HELLO, POSTS, error_of

QUARTER = MAX_VALUES // 4


@pytest.mark.parametrize(
    "value",
    [
        [[]] * MAX_VALUES,
        [{}] * MAX_VALUES,
        [""] * MAX_VALUES,
        ["\\"] * MAX_VALUES,
        ['\\"'] * MAX_VALUES,
        {str(i): i for i in range(MAX_VALUES)},
        [[1], {"key": 5}, "a"] * QUARTER,
    ],
    ids=["arrays", "objects", "strings", "backslashes", "quotes", "keys", "all"],
)
def test_they_are_not_parsed(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    body = orjson.dumps({"metadata": value})
    monkeypatch.setattr(orjson, "loads", None)
    with pytest.raises(InvalidRequest, match=f"more than {MAX_VALUES} strings"):
        json_object(body)


@pytest.mark.parametrize(
    "value",
    [
        "[{[{" * MAX_VALUES,
        '"[]","' * MAX_VALUES,
        '\\"[]\\\\","\\' * MAX_VALUES,
        [1] * MAX_VALUES,
        [[1, -100]] * (MAX_VALUES - 4),
        {str(i): i for i in range(MAX_VALUES - 4)},
        ["[" * MAX_VALUES, "]", '\\"[', []],
    ],
    ids=["brackets", "quotes", "backslashes", "numbers", "pairs", "keys", "strings"],
)
def test_text_and_numbers_may_be_long(value: Any) -> None:
    assert json_object(orjson.dumps({"prompt": value})) == {"prompt": value}
    assert json_array(orjson.dumps([value], option=orjson.OPT_INDENT_2)) == [value]


@pytest.mark.parametrize("path", POSTS)
def test_it_is_the_senders_error(client: httpx.Client, path: str) -> None:
    body = orjson.dumps(HELLO | {"metadata": [[]] * MAX_VALUES})
    assert "more than" in error_of(client.post(path, content=body), 400)["message"]
