"""What has to be said to ggml before a model is loaded, for the whole process."""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Iterable

import llama_cpp

from ..errors import InvalidRequest
from .system import ggml_library

__all__ = ["NUMA_STRATEGIES", "add_rpc_servers", "set_numa"]

NUMA_STRATEGIES = ("disabled", "distribute", "isolate", "numactl")
"""Their places are ggml's numbers (``ggml_numa_strategy``)."""
CONNECT_SECONDS = 5.0


def set_numa(strategy: str) -> None:
    """Place threads by NUMA nodes, one of `NUMA_STRATEGIES` (``llama_numa_init``).

    ggml takes the first strategy of a process, and has nothing to do on one node.
    """
    llama_cpp.llama_backend_init()
    llama_cpp.llama_numa_init(NUMA_STRATEGIES.index(strategy))


def add_rpc_servers(endpoints: Iterable[str]) -> None:
    """Make the devices of RPC servers, ``host:port``, devices of this process.

    :raises InvalidRequest: this llama.cpp has no RPC backend, or a server does not answer.
    """
    if not llama_cpp.llama_supports_rpc():
        raise _refused("this llama.cpp is built without the RPC backend")
    ggml = ggml_library()
    ggml.ggml_backend_reg_by_name.argtypes = [ctypes.c_char_p]
    ggml.ggml_backend_reg_by_name.restype = ctypes.c_void_p
    ggml.ggml_backend_reg_get_proc_address.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    ggml.ggml_backend_reg_get_proc_address.restype = ctypes.c_void_p
    ggml.ggml_backend_register.argtypes = [ctypes.c_void_p]
    ggml.ggml_backend_register.restype = None
    llama_cpp.llama_backend_init()
    backend = ggml.ggml_backend_reg_by_name(b"RPC")
    address = backend and ggml.ggml_backend_reg_get_proc_address(
        backend, b"ggml_backend_rpc_add_server"
    )
    if not address:
        raise _refused("this llama.cpp is built without the RPC backend")
    add = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p)(address)
    for endpoint in endpoints:
        _check_answers(endpoint)
        added = add(endpoint.encode())
        if not added:
            raise _refused(f"{endpoint} has no devices")
        ggml.ggml_backend_register(added)


def _check_answers(endpoint: str) -> None:
    """ggml ends the process if it cannot connect."""
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise _refused(f"{endpoint!r} is not host:port")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise _refused(f"{endpoint} does not answer: {error}") from None


def _refused(reason: str) -> InvalidRequest:
    return InvalidRequest(f"rpc_servers: {reason}", param="rpc_servers")
