"""What `ModelParams` say reaches llama.cpp: tensors, metadata, files, devices of other machines."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llamabox import InvalidRequest, Model, ModelLoadError, ModelParams
from llamabox.api import add_rpc_servers, check_model_params
from llamabox.api.loading import model_params

BOS = "tokenizer.ggml.add_bos_token"
RPC_SERVER = """
import ctypes, sys
from llamabox.api.system import ggml_library
import llama_cpp
llama_cpp.llama_backend_init()
library = ggml_library()
device = ctypes.c_void_p(library.ggml_backend_dev_get(0))
library.ggml_backend_rpc_start_server(
    sys.argv[1].encode(), None, ctypes.c_size_t(1), ctypes.c_size_t(1), ctypes.byref(device)
)
"""
"""Serves the first device, until it is killed."""
WAIT = 60.0


@pytest.mark.parametrize("adds", [True, False])
def test_metadata_can_be_replaced(tiny_path: Path, adds: bool) -> None:
    overrides = ((BOS, adds), ("general.name", "other"), ("my.count", 3), ("my.share", 0.5))
    with Model.load(tiny_path, ModelParams(kv_overrides=overrides)) as model:
        assert model.tokenizer.adds_bos == adds
        assert model.metadata[BOS] == str(adds).lower()
        assert (model.name, model.metadata["my.count"]) == ("other", "3")


def test_metadata_that_is_needed_can_be_replaced(tiny_path: Path) -> None:
    with Model.load(tiny_path, ModelParams(kv_overrides=(("llama.context_length", 77),))) as model:
        assert model.n_ctx_train == 77


@pytest.mark.parametrize(
    "pair", [("", 1), ("k" * 128, 1), ("key", "v" * 128), ("key", 2**63), ("k\0", 1)]
)
def test_what_llama_cpp_cannot_hold_is_refused(pair: tuple[str, int | str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ModelParams(kv_overrides=(pair,))
    assert caught.value.param == "kv_overrides"


def test_invalid_numbers_are_found_if_asked_for(tiny_path: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(tiny_path.read_bytes()[:-4] + b"\xff\xff\xff\xff")  # a NaN of F32
    Model.load(broken).close()
    with pytest.raises(ModelLoadError):
        Model.load(broken, ModelParams(check_tensors=True))


def is_mapped(path: Path) -> bool:
    return str(path) in Path("/proc/self/maps").read_text()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
@pytest.mark.parametrize("use_mmap", [True, False])
def test_the_file_is_mapped_or_read(tiny_path: Path, tmp_path: Path, use_mmap: bool) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(tiny_path.read_bytes())
    with Model.load(path, ModelParams(use_mmap=use_mmap)):
        assert is_mapped(path) == use_mmap


@pytest.mark.parametrize(
    ("use_mmap", "use_mlock", "mode"),
    [(None, False, -1), (False, False, 0), (True, False, 1), (False, True, 2), (None, True, 3)],
)
def test_mapping_and_locking_are_one_mode(
    use_mmap: bool | None, use_mlock: bool, mode: int
) -> None:
    c_params, _ = model_params(ModelParams(use_mmap=use_mmap, use_mlock=use_mlock), None)
    assert c_params.load_mode == mode


def test_the_split_reaches_llama_cpp() -> None:
    params = ModelParams(split_mode="row", main_gpu=1, tensor_split=(3.0, 1.0), repack=False)
    c_params, _ = model_params(params, None)
    assert (c_params.split_mode, c_params.main_gpu, c_params.use_extra_bufts) == (2, 1, False)
    assert list(c_params.tensor_split[:3]) == [3.0, 1.0, 0.0]


def test_tensors_go_where_they_are_sent(tiny_path: Path) -> None:
    params = ModelParams(tensor_overrides=((r"ffn_.*", "CPU"),))
    with Model.load(tiny_path, params) as model:
        assert model.n_vocab


@pytest.mark.parametrize(
    ("params", "param"),
    [
        (ModelParams(tensor_overrides=(("x", "NOWHERE"),)), "tensor_overrides"),
        (ModelParams(devices=("CUDA77",)), "devices"),
        (ModelParams(tensor_split=(1.0,) * 999), "tensor_split"),
    ],
)
def test_what_this_machine_lacks_is_named(params: ModelParams, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_model_params(params)
    assert caught.value.param == param


@pytest.mark.parametrize("endpoint", ["nowhere", "host:0", "host:x", ":1"])
def test_an_endpoint_is_a_host_and_a_port(endpoint: str) -> None:
    with pytest.raises(InvalidRequest, match="is not host:port"):
        add_rpc_servers([endpoint])


def test_a_silent_rpc_server_ends_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(InvalidRequest, match="does not answer"):
            add_rpc_servers([f"127.0.0.1:{port}"])


def test_devices_of_an_rpc_server_are_devices_here() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{probe.getsockname()[1]}"
    server = subprocess.Popen(
        [sys.executable, "-c", RPC_SERVER, endpoint],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(endpoint, server)
        listing = [sys.executable, "-m", "llamabox", "--rpc", endpoint, "--list-devices"]
        listed = subprocess.run(listing, capture_output=True, text=True, check=True, timeout=WAIT)
        assert f"RPC0: {endpoint}" in listed.stdout
    finally:
        server.kill()
        server.wait()


def wait_for(endpoint: str, server: subprocess.Popen[bytes]) -> None:
    host, _, port = endpoint.partition(":")
    deadline = time.monotonic() + WAIT
    while True:
        assert server.poll() is None
        assert time.monotonic() < deadline
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
