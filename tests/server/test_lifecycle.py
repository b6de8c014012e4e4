"""Loading, failing to load, shutting down."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from llamabox import ModelLoadError, packaged_model
from llamabox.server.config import ServerConfig
from tests.server.conftest import small_config
from tests.server.faults import FaultyEngine
from tests.server.live import HANG, LiveServer, eventually, run_cli, server_process
from tests.server.sse_reader import parse

STOP_SECONDS = 5.0
LISTENING = r"listening on (http://\S+)"
HELD_TOKENIZE = """
import sys, threading
from llamabox.server.__main__ import main
from llamabox.server.routes import tokens

def hold(*_):
    print("held", file=sys.stderr)
    threading.Event().wait()

tokens._tokens = hold
sys.exit(main(sys.argv[1:]))
"""
"""A server on which every text keeps a thread busy for ever."""
ENDLESS = {"prompt": "Once upon a time", "ignore_eos": True, "stream": True}
REQUESTS = (
    ("GET", "/v1/models"),
    ("GET", "/metrics"),
    ("POST", "/v1/chat/completions"),
    ("GET", "/nowhere"),
)


def begin_post(url: str, body: dict[str, Any]) -> tuple[threading.Thread, list[httpx.Response]]:
    """A thread that posts, and where it puts the reply."""
    replies: list[httpx.Response] = []
    thread = threading.Thread(
        target=lambda: replies.append(httpx.post(url, json=body, timeout=HANG))
    )
    thread.start()
    return thread, replies


def test_everything_is_503_while_loading() -> None:
    may_load = threading.Event()

    def open_engine(config: ServerConfig, progress: Callable[[float], bool]) -> FaultyEngine:
        assert may_load.wait(HANG)
        return FaultyEngine()

    with LiveServer(small_config(), open_engine) as server, server.client() as client:
        for method, path in (("GET", "/health"), *REQUESTS):
            response = client.request(method, path)
            assert response.status_code == 503, path
            assert response.json() == {
                "error": {
                    "message": "Loading model",
                    "type": "unavailable_error",
                    "param": None,
                    "code": 503,
                }
            }
        may_load.set()
        server.wait_ready()
        assert client.get("/health").json() == {"status": "ok"}


def test_health_tells_why_loading_failed() -> None:
    def open_engine(config: ServerConfig, progress: Callable[[float], bool]) -> FaultyEngine:
        raise ModelLoadError("model.gguf: it is cursed")

    with LiveServer(small_config(), open_engine) as server, server.client() as client:
        eventually(lambda: "cursed" in client.get("/health").text, "the error is there")
        for method, path in (("GET", "/health"), *REQUESTS):
            response = client.request(method, path)
            assert response.status_code == 503
            assert response.json()["error"]["message"] == "model.gguf: it is cursed"


def test_a_stop_gives_the_loading_up() -> None:
    fractions: list[bool] = []

    def open_engine(config: ServerConfig, progress: Callable[[float], bool]) -> FaultyEngine:
        while not fractions or fractions[-1]:
            fractions.append(progress(0.5))
            time.sleep(0.001)
        raise ModelLoadError("given up")

    with LiveServer(small_config(), open_engine):
        eventually(lambda: len(fractions) > 3, "it loads")
    assert fractions[-1] is False


def test_two_servers_live_in_one_process(server: LiveServer) -> None:
    with LiveServer(small_config(alias="other")) as other, other.wait_ready().client() as client:
        assert client.get("/v1/models").json()["data"][0]["id"] == "other"
        assert server.url != other.url
    with server.client() as client:
        assert client.get("/v1/models").json()["data"][0]["id"] == "pocket"


def test_a_stop_frees_the_port() -> None:
    with LiveServer(small_config()) as server:
        server.wait_ready()
        port = int(server.url.rpartition(":")[2])
    with LiveServer(small_config(port=port)) as server:
        server.wait_ready()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_running_streams_and_the_process(number: signal.Signals) -> None:
    with server_process("--port", "0", "-c", "16384") as server:
        url = server.wait_for_line(LISTENING).group(1)
        server.wait_for_line("model loaded")
        with (
            httpx.Client(base_url=url, timeout=HANG) as client,
            client.stream("POST", "/v1/completions", json=ENDLESS) as response,
        ):
            chunks = response.iter_raw()
            stream = next(chunks)
            started = time.monotonic()
            os.kill(server.process.pid, number)
            stream += b"".join(chunks)
        assert server.wait() == 0
        assert time.monotonic() - started < STOP_SECONDS
    assert parse(stream)[-1]["error"]["type"] == "unavailable_error"


def test_a_signal_ends_a_whole_reply_with_an_error() -> None:
    with server_process("--port", "0", "-c", "16384", "--metrics") as server:
        url = server.wait_for_line(LISTENING).group(1)
        server.wait_for_line("model loaded")
        thread, replies = begin_post(f"{url}/v1/completions", ENDLESS | {"stream": False})
        running = "llamabox:requests_running 1.0"
        eventually(lambda: running in httpx.get(f"{url}/metrics").text, "the request runs")
        os.kill(server.process.pid, signal.SIGTERM)
        thread.join(HANG)
        assert server.wait() == 0
    assert replies[0].status_code == 503


def test_a_signal_refuses_a_stream_that_waits_for_a_slot() -> None:
    with server_process("--port", "0", "-c", "16384", "-np", "1", "--metrics") as server:
        url = server.wait_for_line(LISTENING).group(1)
        server.wait_for_line("model loaded")
        body = {"messages": [{"role": "user", "content": "Hello"}], "stream": True}
        with (
            httpx.Client(base_url=url, timeout=HANG) as client,
            client.stream("POST", "/v1/completions", json=ENDLESS) as response,
        ):
            chunks = response.iter_raw()
            next(chunks)
            thread, replies = begin_post(f"{url}/v1/chat/completions", body)
            waiting = "llamabox:requests_waiting 1.0"
            eventually(lambda: waiting in httpx.get(f"{url}/metrics").text, "the other one waits")
            os.kill(server.process.pid, signal.SIGTERM)
            thread.join(HANG)
        assert server.wait() == 0
    assert replies[0].status_code == 503


def test_a_port_in_use_is_one_line_and_status_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run_cli("--port", str(port))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in line


def test_an_unknown_host_is_one_line_and_status_1() -> None:
    result = run_cli("--host", "no-such-host.invalid", "--port", "0")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "cannot listen on no-such-host.invalid:0" in line


@pytest.mark.parametrize("kind", ["missing", "directory", "text", "truncated"])
def test_a_model_that_cannot_be_loaded_is_one_line_and_status_1(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.gguf"
    if kind == "directory":
        path.mkdir()
    elif kind == "text":
        path.write_text("no model at all, only some words\n" * 100)
    elif kind == "truncated":
        path.write_bytes(packaged_model().read_bytes()[:1_000_000])
    result = run_cli("-m", str(path), "--port", "0")
    assert result.returncode == 1
    (line,) = [line for line in result.stderr.splitlines() if " ERROR " in line]
    assert str(path) in line
    assert "Traceback" not in result.stderr


def test_a_template_that_does_not_compile_is_one_line_and_status_2(tmp_path: Path) -> None:
    path = tmp_path / "chat.jinja"
    path.write_text("{% for %}")
    result = run_cli("--chat-template-file", str(path), "--port", "0")
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "argument --chat-template-file: the chat template does not compile" in line


def test_the_packaged_model_is_announced() -> None:
    with server_process("--port", "0") as server:
        server.wait_for_line(f"packaged {packaged_model().name}")


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "llamabox.sock"
    with server_process("--host", str(path)) as server:
        server.wait_for_line("model loaded")
        transport = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=transport, base_url="http://box", timeout=HANG) as client:
            assert client.get("/health").json() == {"status": "ok"}
            body = {"prompt": "x", "max_tokens": 2}
            assert client.post("/v1/completions", json=body).status_code == 200
        again = run_cli("--host", str(path))
        assert again.returncode == 1
        assert "Address already in use" in again.stderr
        server.process.terminate()
        assert server.wait() == 0
    assert not path.exists()


def test_a_dead_unix_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "llamabox.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with LiveServer(small_config(host=str(path)), FaultyEngine.opener()):
        assert path.is_socket()
    assert not path.exists()


def test_a_file_is_not_replaced_by_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "notes.sock"
    path.write_text("keep me")
    result = run_cli("--host", str(path))
    assert result.returncode == 1
    assert path.read_text() == "keep me"


def test_another_llama_cpp_is_one_line_and_status_1() -> None:
    code = (
        "import sys, llama_cpp\n"
        "llama_cpp.__version__ = '0.1.0'\n"
        "from llamabox.server.__main__ import main\n"
        "sys.exit(main(['--port', '0']))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    (line,) = [line for line in result.stderr.splitlines() if " ERROR " in line]
    assert "0.1.0" in line
    assert "Traceback" not in result.stderr


def test_a_second_signal_does_not_wait() -> None:
    with server_process("--port", "0") as server:
        url = server.wait_for_line(LISTENING).group(1)
        server.wait_for_line("model loaded")
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=HANG) as half:
            half.sendall(b"POST /completion HTTP/1.1\r\n")
            time.sleep(0.2)
            server.process.terminate()
            server.wait_for_line("stopping")
            server.process.terminate()
            assert server.wait() == 1


@pytest.mark.parametrize("n_signals", [1, 2])
def test_a_thread_that_is_busy_does_not_hold_the_server_up(n_signals: int) -> None:
    with server_process("--port", "0", code=HELD_TOKENIZE) as server:
        url = server.wait_for_line(LISTENING).group(1)
        server.wait_for_line("model loaded")
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=HANG) as client:
            body = b'{"content": "a"}'
            head = b"POST /tokenize HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
            client.sendall(head + body)
            server.wait_for_line("held")
            started = time.monotonic()
            server.process.terminate()
            if n_signals > 1:
                server.wait_for_line("stopping")
                server.process.terminate()
            assert server.wait() == n_signals - 1
            assert time.monotonic() - started < STOP_SECONDS
        assert not [line for line in server.lines if "Traceback" in line]
        is_left = any("still being worked on" in line for line in server.lines)
        assert is_left == (n_signals == 1)


def test_half_a_request_does_not_hold_the_server_up() -> None:
    with server_process("--port", "0") as server:
        url = server.wait_for_line(LISTENING).group(1)
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=HANG) as half:
            half.sendall(b"POST /completion HTTP/1.1\r\n")
            time.sleep(0.2)
            started = time.monotonic()
            server.process.terminate()
            assert server.wait() == 0
            assert time.monotonic() - started < STOP_SECONDS
        assert not [line for line in server.lines if "destroyed" in line or "Traceback" in line]


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling policies are Linux's")
def test_the_event_loop_takes_no_core_from_the_step_thread() -> None:
    with server_process("--port", "0", "-np", "1") as server:
        server.wait_for_line("model loaded")
        pid = server.process.pid
        tasks = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
        policies = {task: os.sched_getscheduler(task) for task in tasks}
    assert policies.pop(pid) == os.SCHED_BATCH
    assert list(policies.values()).count(os.SCHED_OTHER) >= 2  # what loads, and the steps
