"""Builds llama-cpp-python once per machine and choice of flags, and installs it.

    python scripts/wheel_cache.py install   into the environment of this interpreter
    python scripts/wheel_cache.py build     build if needed, print the path of the wheel
    python scripts/wheel_cache.py sources   download if needed, print the path of the sdist
    python scripts/wheel_cache.py key       print what tells one build from another, as JSON

The version is the one that pyproject.toml pins. The flags are CMAKE_ARGS and the variables that
compilers, CMake and ggml read; RPC is on unless CMAKE_ARGS sets GGML_RPC. Wheels live outside the
clone, in $XDG_CACHE_HOME/llamabox/wheels (~/.cache by default), one directory per key, beside the
sdist that they are built from, which tests read too. Downloads and builds run under a lock in a
temporary directory and are renamed into place, so setups that run at the same time build once and
never see half a wheel.

An environment that already has the pinned version keeps it while none of those variables is set:
a build with CMAKE_ARGS=-DGGML_CUDA=ON is not undone by a later `make test` without it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from build_progress import Progress, failure_report

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
PACKAGE = "llama-cpp-python"
DEFAULT_CMAKE_ARGS = {"GGML_RPC": "ON"}
FLAG_NAMES = (
    *("CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS"),
    *("CUDACXX", "CUDA_HOME", "CUDA_PATH", "HIPCXX", "MACOSX_DEPLOYMENT_TARGET"),
)
FLAG_PREFIXES = ("CMAKE_", "GGML_", "SKBUILD_")
NOT_FLAGS = ("CMAKE_BUILD_PARALLEL_LEVEL",)
PIP = (sys.executable, "-m", "pip")

Env = Mapping[str, str]


class BuildError(Exception):
    """The wheel could not be built; the message says where the log is and why it failed."""


def pinned_requirement(pyproject: Path = PYPROJECT) -> str:
    match = re.search(rf'"({PACKAGE}==[^"]+)"', pyproject.read_text())
    if match is None:
        raise SystemExit(f"{pyproject} does not pin {PACKAGE}")
    return match[1]


def wheels_dir(env: Env) -> Path:
    base = env.get("XDG_CACHE_HOME") or Path(env.get("HOME", "~")).expanduser() / ".cache"
    return Path(base) / "llamabox" / "wheels"


def flags(env: Env) -> dict[str, str]:
    """The variables of `env` that change what a build produces."""
    return {
        name: value
        for name, value in sorted(env.items())
        if value
        and (name in FLAG_NAMES or name.startswith(FLAG_PREFIXES))
        and name not in NOT_FLAGS
    }


def cmake_args(env: Env) -> str:
    """The user's CMAKE_ARGS after the defaults that they do not set."""
    given = env.get("CMAKE_ARGS", "").strip()
    defaults = [
        f"-D{name}={value}"
        for name, value in DEFAULT_CMAKE_ARGS.items()
        if not re.search(rf"-D\s*{name}(:\w+)?=", given)
    ]
    return " ".join([*defaults, given]).strip()


def cpu_features() -> str:
    """What a native build depends on: the CPU's instruction sets, or its name."""
    with contextlib.suppress(OSError):
        cpuinfo = Path("/proc/cpuinfo").read_text()
        match = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
        if match:
            return " ".join(sorted(set(match[1].split())))
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return platform.processor()


def key_parts(requirement: str, env: Env) -> dict[str, object]:
    return {
        "requirement": requirement,
        "flags": {**flags(env), "CMAKE_ARGS": cmake_args(env)},
        "platform": f"{sysconfig.get_platform()} {''.join(platform.libc_ver())}".strip(),
        "cpu": cpu_features(),
    }


def key_of(parts: Mapping[str, object]) -> str:
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"{parts['requirement']}".replace("==", "-") + f"-{digest[:12]}"


def find_wheel(directory: Path) -> Path | None:
    return next(iter(sorted(directory.glob("*.whl"))), None)


def sdist_path(requirement: str, env: Env) -> Path:
    """Where the sdist of `requirement` is kept; it need not be there."""
    return wheels_dir(env) / f"{requirement.replace('==', '-')}.tar.gz"


def ensure_sdist(requirement: str, env: Env, pip: Sequence[str] = PIP) -> Path:
    """The path of the cached sdist of `requirement`, which is downloaded when missing."""
    path = sdist_path(requirement, env)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with locked(path.with_name(f"{path.name}.lock")):
            if not path.exists():
                download_sdist(requirement, env, pip, path)
    return path


def download_sdist(requirement: str, env: Env, pip: Sequence[str], path: Path) -> None:
    print(f"downloading the sources of {requirement}", file=sys.stderr)
    log = path.with_name(f"{path.name}.log")
    with tempfile.TemporaryDirectory(prefix=".downloading-", dir=path.parent) as temporary:
        options = ["--no-deps", "--no-cache-dir", "--no-binary", PACKAGE, "--dest", temporary]
        with log.open("w") as out:
            status = subprocess.call(
                [*pip, "download", *options, requirement],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        archives = list(Path(temporary).glob("*.tar.gz"))
        if status or len(archives) != 1:
            raise BuildError(f"{requirement} was not downloaded; pip's output is in {log}")
        archives[0].rename(path)


def ensure_wheel(requirement: str, env: Env, pip: Sequence[str] = PIP) -> Path:
    """The path of the cached wheel for `requirement` and `env`, which is built when missing."""
    parts = key_parts(requirement, env)
    entry = wheels_dir(env) / key_of(parts)
    entry.parent.mkdir(parents=True, exist_ok=True)
    wheel = find_wheel(entry)
    if wheel:
        return wheel
    with locked(entry.with_name(f"{entry.name}.lock")):
        wheel = find_wheel(entry)
        return wheel or build_entry(entry, parts, env, pip)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another setup that builds {path.stem} ...", file=sys.stderr)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build_entry(entry: Path, parts: Mapping[str, object], env: Env, pip: Sequence[str]) -> Path:
    """Builds in a temporary directory and renames the result to `entry`."""
    with tempfile.TemporaryDirectory(prefix=".building-", dir=entry.parent) as temporary:
        built = Path(temporary) / "entry"
        built.mkdir()
        (built / "key.json").write_text(json.dumps(parts, indent=2) + "\n")
        sdist = ensure_sdist(str(parts["requirement"]), env, pip)
        run_build(sdist, env, pip, built, entry.with_name(f"{entry.name}.log"))
        if entry.exists():
            shutil.rmtree(entry)
        built.rename(entry)
    wheel = find_wheel(entry)
    assert wheel is not None
    return wheel


def run_build(sdist: Path, env: Env, pip: Sequence[str], target: Path, log: Path) -> None:
    # Without --no-cache-dir pip would reuse a wheel that it built earlier with other flags.
    command = [*pip, "wheel", "-v", "--no-deps", "--no-cache-dir"]
    command += ["--wheel-dir", str(target), str(sdist)]
    jobs = env.get("CMAKE_BUILD_PARALLEL_LEVEL") or str(os.cpu_count() or 1)
    build_env = {**env, "CMAKE_ARGS": cmake_args(env), "CMAKE_BUILD_PARALLEL_LEVEL": jobs}
    print(f"building {sdist.name} with {build_env['CMAKE_ARGS']}", file=sys.stderr)
    print("once for this machine and these flags, about ten minutes", file=sys.stderr)
    progress = Progress(PACKAGE, sys.stderr)
    with log.open("w+", errors="replace") as out:
        status = stream(command, build_env, out, progress)
        if status == 0 and find_wheel(target):
            progress.finish("done")
            return
        progress.finish("failed")
        out.seek(0)
        report = failure_report(out)
    raise BuildError(f"{report}\n\n{sdist.name} was not built; the whole log is {log}")


def stream(command: Sequence[str], env: Env, log: TextIO, progress: Progress) -> int:
    """Runs `command`, copies its output to `log` and shows `progress`; the exit status."""
    with subprocess.Popen(
        command,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            progress.feed(line)
    return process.returncode


def installed_key(marker: Path, requirement: str) -> str | None:
    """The key that `marker` records, provided the version of `requirement` is installed."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, OSError):
        if importlib.metadata.version(PACKAGE) == requirement.partition("==")[2]:
            return marker.read_text().strip()
    return None


def install(requirement: str, env: Env, pip: Sequence[str] = PIP) -> None:
    marker = Path(sys.prefix) / f".{PACKAGE}-key"
    have = installed_key(marker, requirement)
    if have and not flags(env):
        return
    want = key_of(key_parts(requirement, env))
    if have == want:
        return
    wheel = ensure_wheel(requirement, env, pip)
    print(f"installing {wheel.name} ({want})", file=sys.stderr)
    marker.unlink(missing_ok=True)
    command = [*pip, "install", "-q", "--no-deps", "--force-reinstall", str(wheel)]
    subprocess.run(command, check=True)
    marker.write_text(f"{want}\n")


def main() -> None:
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("action", choices=["install", "build", "sources", "key"])
    action = parser.parse_args().action
    requirement = pinned_requirement()
    try:
        if action == "install":
            install(requirement, os.environ)
        elif action == "build":
            print(ensure_wheel(requirement, os.environ))
        elif action == "sources":
            print(ensure_sdist(requirement, os.environ))
        else:
            print(json.dumps(key_parts(requirement, os.environ), indent=2))
    except BuildError as error:
        sys.exit(f"\n{error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"could not install {requirement}: pip ended with status {error.returncode}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; nothing is left in the cache")


if __name__ == "__main__":
    main()
