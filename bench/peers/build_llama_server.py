"""Builds llama-server from the llama.cpp sources of the installed llama-cpp-python, once.

    python -m bench.peers.build_llama_server

Peer and library are then the same llama.cpp, built with the same CMAKE_ARGS for the same CPU. The
program and the unpacked sources stay in `peers/` of the cache, outside the clone; a second call
prints their paths and ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

from llamabox.api import system_info

from ..cache import cache_dir, locked

PACKAGE = "llama-cpp-python"
PROGRAM = "llama-server"
OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",  # a program that may be moved out of the build folder
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DGGML_RPC=ON",
)


class BuildError(Exception):
    """A command failed; the message says which, and where its output is."""


def sources() -> Path:
    """The unpacked sources of the installed llama-cpp-python, downloaded when they are missing.

    :raises BuildError: the download failed.
    """
    folder = cache_dir("peers") / f"src-{version(PACKAGE)}"
    if not folder.exists():
        with locked(folder.with_name(f"{folder.name}.lock")):
            if not folder.exists():
                _download(folder)
    return folder


def folder_of_program() -> Path:
    """The folder of the built program; it need not exist."""
    parts = [*OPTIONS, *_user_options(), system_info()]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
    return cache_dir("peers") / f"llama-server-{version(PACKAGE)}-{key}"


def build() -> Path:
    """The folder of the program, which is built when it is missing: several minutes.

    :raises BuildError: a step of the build failed.
    """
    folder = folder_of_program()
    if not folder.exists():
        source = sources() / "vendor" / "llama.cpp"
        with locked(folder.with_name(f"{folder.name}.lock")):
            if not folder.exists():
                _build(source, folder)
    return folder


def _download(folder: Path) -> None:
    print(f"downloading the sources of {PACKAGE} {version(PACKAGE)}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder.parent) as temporary:
        requirement = f"{PACKAGE}=={version(PACKAGE)}"
        options = ["--no-deps", "--no-cache-dir", "--no-binary", PACKAGE, "-d", temporary]
        command = [sys.executable, "-m", "pip", "download", *options, requirement]
        _run(command, folder.with_name(f"{folder.name}.log"))
        (archive,) = Path(temporary).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(temporary, filter="data")
        archive.unlink()
        (unpacked,) = Path(temporary).iterdir()
        unpacked.rename(folder)


def _build(source: Path, folder: Path) -> None:
    """Build in a temporary folder and rename the folder of the program to `folder`."""
    log = folder.with_name(f"{folder.name}.log")
    jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or str(os.cpu_count() or 1)
    print(f"building {PROGRAM} in several minutes; log: {log}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as temporary:
        tree, entry = Path(temporary) / "tree", Path(temporary) / "entry"
        _run(["cmake", "-S", str(source), "-B", str(tree), *OPTIONS, *_user_options()], log)
        _run(["cmake", "--build", str(tree), "-j", jobs, "--target", PROGRAM], log)
        entry.mkdir()
        shutil.copy2(tree / "bin" / PROGRAM, entry / PROGRAM)
        entry.rename(folder)


def _user_options() -> list[str]:
    """CMAKE_ARGS, which the installed llama-cpp-python honours too."""
    return shlex.split(os.environ.get("CMAKE_ARGS", ""))


def _run(command: list[str], log: Path) -> None:
    with log.open("a") as out:
        status = subprocess.run(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    if status.returncode:
        raise BuildError(f"{shlex.join(command)} failed; its output is in {log}")


def main() -> int:
    """The command line; prints the paths of the program's folder and of the sources."""
    try:
        print(f"program: {build()}")
        print(f"sources: {sources()}")
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
