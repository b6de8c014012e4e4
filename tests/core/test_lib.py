"""The handshake: a llama-cpp-python that does not fit is refused before anything is called."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import llama_cpp
import pytest

from llamabox._core.lib import FUNCTIONS, SUPPORTED, Library
from llamabox.errors import IncompatibleLibrary, LlamaboxError

STRUCTS = ("llama_batch", "llama_token_data", "llama_token_data_array")


def binding(**changes: Any) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(llama_cpp), **changes})


def without(name: str) -> SimpleNamespace:
    names = dict(vars(llama_cpp))
    del names[name]
    return SimpleNamespace(**names)


def changed_struct(name: str, fields: list[tuple[str, Any]]) -> type[ctypes.Structure]:
    return type(name, (ctypes.Structure,), {"_fields_": fields})


def test_the_installed_library_fits() -> None:
    assert Library(llama_cpp).binding is llama_cpp


@pytest.mark.parametrize("version", ["0.3.36", "0.3.36.post1"])
def test_a_supported_version_fits(version: str) -> None:
    Library(binding(__version__=version))


@pytest.mark.parametrize("version", ["0.3.35", "0.2.99", "0.3.37", "0.4.0", "1.0.0", "newest", ""])
def test_another_version_is_refused_with_both_versions_named(version: str) -> None:
    with pytest.raises(IncompatibleLibrary) as error:
        Library(binding(__version__=version))
    for part in (version, *SUPPORTED, "pip install"):
        assert part in str(error.value)
    assert isinstance(error.value, (LlamaboxError, ImportError))


def test_a_binding_without_a_version_is_refused() -> None:
    with pytest.raises(IncompatibleLibrary, match="no stated version"):
        Library(without("__version__"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_missing_function_is_refused_by_name(name: str) -> None:
    with pytest.raises(IncompatibleLibrary, match=f"no function llama_{name}"):
        Library(without(f"llama_{name}"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_null_function_is_refused_by_name(name: str) -> None:
    null = ctypes.CFUNCTYPE(ctypes.c_int)()
    with pytest.raises(IncompatibleLibrary, match=f"no function llama_{name}"):
        Library(binding(**{f"llama_{name}": null}))


@pytest.mark.parametrize("name", STRUCTS)
def test_a_missing_struct_is_refused_by_name(name: str) -> None:
    with pytest.raises(IncompatibleLibrary, match=f"no struct {name}"):
        Library(without(name))


@pytest.mark.parametrize("name", STRUCTS)
def test_a_struct_of_another_size_is_refused(name: str) -> None:
    fields = [*getattr(llama_cpp, name)._fields_, ("added", ctypes.c_int64)]
    with pytest.raises(IncompatibleLibrary, match=f"{name} has another layout"):
        Library(binding(**{name: changed_struct(name, fields)}))


@pytest.mark.parametrize("name", STRUCTS)
def test_a_struct_with_fields_in_another_order_is_refused(name: str) -> None:
    fields = getattr(llama_cpp, name)._fields_
    swapped = [fields[0], fields[2], fields[1], *fields[3:]]
    with pytest.raises(IncompatibleLibrary, match=f"{name} has another layout"):
        Library(binding(**{name: changed_struct(name, swapped)}))


def test_an_engine_over_a_wrong_version_fails_with_the_handshakes_message() -> None:
    code = """
import llama_cpp
llama_cpp.__version__ = "0.3.1"
import llamabox
try:
    llamabox.Engine()
except llamabox.IncompatibleLibrary as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert "needs llama-cpp-python >= 0.3.36, < 0.3.37; 0.3.1 is installed" in run.stdout
