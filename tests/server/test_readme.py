"""The README's server examples, run as they stand against a real server."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server.live import HANG, LiveServer

README = Path(__file__).parents[2] / "README.md"
ADDRESS = "http://127.0.0.1:8080"


def block(language: str, word: str) -> str:
    """The README's code block in a language that has a word in it."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)
    return next(text for text in blocks if word in text)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_line_answers(server: LiveServer) -> None:
    command = block("shell", "curl").replace("\\\n", " ").replace(ADDRESS, server.url)
    result = subprocess.run(
        [*shlex.split(command), "--silent"], capture_output=True, timeout=HANG, check=True
    )
    message = json.loads(result.stdout)["choices"][0]["message"]
    assert message["role"] == "assistant"
    assert message["content"].strip()


def test_the_openai_lines_stream_an_answer(server: LiveServer) -> None:
    assert ADDRESS in block("python", "OpenAI")
    code = block("python", "OpenAI").replace(ADDRESS, server.url)
    scope: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, scope)
    scope["client"].close()
    assert printed.getvalue().strip()
