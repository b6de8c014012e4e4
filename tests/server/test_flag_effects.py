"""What flags do beyond a configuration: the log, connections, threads, what this machine lacks."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from llamabox.server.cli import parse
from llamabox.server.log import LogConfig, configure_logging
from tests.server.conftest import small_config
from tests.server.live import HANG, LiveServer, run_cli, server_process


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    names = ("llamabox", "sanic")
    saved = [(each.handlers, each.level, each.propagate) for each in map(logging.getLogger, names)]
    yield
    for name, (handlers, level, propagate) in zip(names, saved, strict=True):
        logger = logging.getLogger(name)
        for handler in logger.handlers:
            handler.close()
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def logged(config: LogConfig, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What standard error gets of one message of each level."""
    configure_logging(config)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logging.getLogger("llamabox.test").log(level, "message")
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(("words", "n_lines"), [([], 4), (["-v"], 5), (["--log-disable"], 1)])
def test_the_verbosity_is_a_threshold(
    words: list[str], n_lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(logged(parse(words, {}).log, capsys)) == n_lines


@pytest.mark.parametrize(
    ("verbosity", "n_lines"), [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 5), (99, 5), (-1, 1)]
)
def test_every_verbosity_has_a_level(
    verbosity: int, n_lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    log = parse(["-lv", str(verbosity)], {}).log
    assert len(logged(log, capsys)) == n_lines


def test_colors_are_for_those_who_want_them(capsys: pytest.CaptureFixture[str]) -> None:
    for words, is_colored in (([], False), (["--log-colors", "auto"], False), (["-v"], False)):
        assert ("\x1b[" in "".join(logged(parse(words, {}).log, capsys))) == is_colored
    colored = logged(parse(["--log-colors"], {}).log, capsys)
    assert "\x1b[31m" in colored[-1]
    assert colored[-1].endswith("message\x1b[0m")


def test_a_file_gets_the_log_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "server.log"
    words = ["--log-file", str(path), "--no-log-timestamps", "--no-log-prefix", "--log-colors"]
    assert len(logged(parse(words, {}).log, capsys)) == 4
    assert path.read_text().splitlines() == ["message"] * 4


def is_closed_within(address: tuple[str, int], request: bytes, seconds: float) -> bool:
    with socket.create_connection(address, HANG) as connection:
        connection.sendall(request)
        received = connection.recv(65536) if request else b""
        assert (b"200 OK" in received) == bool(request)
        connection.settimeout(seconds)
        try:
            return connection.recv(65536) == b""
        except TimeoutError:
            return False


def test_an_unused_connection_is_closed() -> None:
    request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with LiveServer(small_config(conn_keepalive=1, conn_idle=600)) as server:
        server.wait_ready()
        port = int(server.url.rpartition(":")[2])
        # A connection's clock is looked at twice in its shortest time.
        assert not is_closed_within(("127.0.0.1", port), b"", 0.2)
    with LiveServer(small_config(conn_keepalive=1, conn_idle=1)) as server:
        server.wait_ready()
        port = int(server.url.rpartition(":")[2])
        assert is_closed_within(("127.0.0.1", port), b"", HANG)
        assert is_closed_within(("127.0.0.1", port), request, HANG)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-dev", "CUDA77"], "argument --device: 'CUDA77' is no device to offload to"),
        (["-ot", "x=NOWHERE"], "argument --override-tensor: 'NOWHERE' is no buffer type"),
        (["--rpc", "127.0.0.1:1"], "argument --rpc: 127.0.0.1:1 does not answer"),
        (["--log-file", "/no/such/folder/x"], "argument --log-file:"),
    ],
)
def test_what_this_machine_lacks_is_said_in_one_line(words: list[str], said: str) -> None:
    run = run_cli("--port", "0", *words)
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert f"llamabox: error: {said}" in line


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs masks of CPUs")
def test_the_threads_of_a_server_are_where_its_flags_say() -> None:
    cpu = max(os.sched_getaffinity(0))
    mask = f"{1 << cpu:x}"
    flags = (
        "--port",
        "0",
        "-c",
        "256",
        "-np",
        "1",
        "-t",
        "2",
        "-C",
        mask,
        "--poll",
        "0",
        "-dt",
        "0",
    )
    with server_process(*flags) as server:
        server.wait_for_line("model loaded")
        (step,) = [
            int(task.name)
            for task in Path(f"/proc/{server.process.pid}/task").iterdir()
            if os.sched_getaffinity(int(task.name)) == {cpu}
        ][:1]
        assert step != server.process.pid
        log = "\n".join(server.lines)
        assert "2 compute threads share 1 CPUs" in log
        assert "-dt: has no effect" in log


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-c 2000000000 --kv-layout partitioned", "--ctx-size: 5 times 2000000000 cells"),
        ("-l 99999999+5", "--logit-bias: token 99999999 is not in a vocabulary of"),
        ("--grammar bad", "--grammar: "),
    ],
)
def test_what_is_refused_while_loading_names_the_flag_too(words: str, said: str) -> None:
    run = run_cli("--port", "0", *words.split())
    assert run.returncode == 1
    assert f"ERROR   {said}" in run.stderr
