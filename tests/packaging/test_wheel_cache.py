"""The cache of llama-cpp-python wheels: what its key depends on, and that it builds only once."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import wheel_cache
from tests.packaging.fake_pip import FakePip
from wheel_cache import (
    BuildError,
    ensure_sdist,
    ensure_wheel,
    key_of,
    key_parts,
    sdist_path,
)

REQUIREMENT = "llama-cpp-python==0.0.1"
SCRIPT = Path(wheel_cache.__file__)


def key(requirement: str = REQUIREMENT, **env: str) -> str:
    return key_of(key_parts(requirement, env))


class TestKey:
    def test_is_stable_and_names_the_version(self):
        assert key() == key()
        assert key().startswith("llama-cpp-python-0.0.1-")

    def test_depends_on_the_version(self):
        assert key("llama-cpp-python==0.0.2").split("-")[-1] != key().split("-")[-1]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("CMAKE_ARGS", "-DGGML_CUDA=ON"),
            ("CMAKE_ARGS", "-DGGML_RPC=OFF"),
            ("CMAKE_BUILD_TYPE", "Debug"),
            ("GGML_VULKAN", "1"),
            ("SKBUILD_CMAKE_BUILD_TYPE", "Debug"),
            ("CC", "clang"),
            ("CXX", "clang++"),
            ("CFLAGS", "-O1"),
        ],
    )
    def test_depends_on_what_changes_the_build(self, name: str, value: str):
        assert key(**{name: value}) != key()

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("CMAKE_ARGS", ""),
            ("CMAKE_ARGS", "-DGGML_RPC=ON"),
            ("CMAKE_BUILD_PARALLEL_LEVEL", "7"),
            ("HOME", "/elsewhere"),
        ],
    )
    def test_ignores_what_does_not(self, name: str, value: str):
        assert key(**{name: value}) == key()

    def test_depends_on_the_cpu(self, monkeypatch: pytest.MonkeyPatch):
        before = key()
        monkeypatch.setattr(wheel_cache, "cpu_features", lambda: "another cpu")
        assert key() != before


class TestCmakeArgs:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("", "-DGGML_RPC=ON"),
            ("-DGGML_CUDA=ON", "-DGGML_RPC=ON -DGGML_CUDA=ON"),
            ("-DGGML_RPC=OFF", "-DGGML_RPC=OFF"),
            ("-D GGML_RPC:BOOL=OFF -DX=1", "-D GGML_RPC:BOOL=OFF -DX=1"),
            ("-DGGML_RPC_TIMEOUT=1", "-DGGML_RPC=ON -DGGML_RPC_TIMEOUT=1"),
        ],
    )
    def test_rpc_is_on_unless_the_user_sets_it(self, given: str, expected: str):
        assert wheel_cache.cmake_args({"CMAKE_ARGS": given}) == expected


class TestEnsureWheel:
    def test_builds_once_per_set_of_flags(self, fake_pip: FakePip):
        first = ensure_wheel(REQUIREMENT, fake_pip.env, fake_pip.command)
        assert ensure_wheel(REQUIREMENT, fake_pip.env, fake_pip.command) == first
        cuda = {**fake_pip.env, "CMAKE_ARGS": "-DGGML_CUDA=ON"}
        assert ensure_wheel(REQUIREMENT, cuda, fake_pip.command) != first
        assert fake_pip.builds() == ["-DGGML_RPC=ON", "-DGGML_RPC=ON -DGGML_CUDA=ON"]

    def test_entry_records_its_key(self, fake_pip: FakePip):
        wheel = ensure_wheel(REQUIREMENT, fake_pip.env, fake_pip.command)
        recorded = json.loads((wheel.parent / "key.json").read_text())
        assert recorded == key_parts(REQUIREMENT, fake_pip.env)
        assert wheel.parent.name == key_of(recorded)

    def test_setups_at_the_same_time_build_once(self, fake_pip: FakePip):
        call = f"wheel_cache.ensure_wheel({REQUIREMENT!r}, os.environ, {fake_pip.command!r})"
        command = [sys.executable, "-c", f"import os, wheel_cache; print({call})"]
        env = {**fake_pip.env, "PYTHONPATH": str(SCRIPT.parent), "FAKE_PIP_SECONDS": "0.5"}

        def setup(_: int) -> str:
            return subprocess.run(
                command, env=env, check=True, capture_output=True, text=True
            ).stdout

        with ThreadPoolExecutor(3) as pool:
            wheels = set(pool.map(setup, range(3)))
        assert len(wheels) == 1
        assert len(fake_pip.builds()) == 1

    def test_failure_says_why_and_leaves_no_entry(self, fake_pip: FakePip):
        env = {**fake_pip.env, "FAKE_PIP_FAILS": "1"}
        with pytest.raises(
            BuildError, match=r"reason: /src/second.cpp:7:1: fatal error"
        ) as failure:
            ensure_wheel(REQUIREMENT, env, fake_pip.command)
        wheels = wheel_cache.wheels_dir(env)
        log = wheels / f"{key(**env)}.log"
        assert str(log) in str(failure.value)
        assert "first.cpp" in log.read_text()
        assert [path for path in wheels.iterdir() if path.is_dir()] == []
        assert ensure_wheel(REQUIREMENT, fake_pip.env, fake_pip.command).exists()

    def test_entry_without_a_wheel_is_built_again(self, fake_pip: FakePip):
        wheel = ensure_wheel(REQUIREMENT, fake_pip.env, fake_pip.command)
        wheel.unlink()
        assert ensure_wheel(REQUIREMENT, fake_pip.env, fake_pip.command) == wheel
        assert wheel.exists()


class TestEnsureSdist:
    def test_is_downloaded_once_for_all_flags(self, fake_pip: FakePip):
        first = ensure_sdist(REQUIREMENT, fake_pip.env, fake_pip.command)
        assert first.read_bytes() == b"sdist"
        ensure_wheel(REQUIREMENT, fake_pip.env, fake_pip.command)
        cuda = {**fake_pip.env, "CMAKE_ARGS": "-DGGML_CUDA=ON"}
        ensure_wheel(REQUIREMENT, cuda, fake_pip.command)
        assert ensure_sdist(REQUIREMENT, fake_pip.env, fake_pip.command) == first
        assert fake_pip.n_downloads() == 1

    def test_failure_says_where_the_output_is(self, fake_pip: FakePip):
        env = {**fake_pip.env, "FAKE_PIP_OFFLINE": "1"}
        with pytest.raises(BuildError, match="was not downloaded") as failure:
            ensure_sdist(REQUIREMENT, env, fake_pip.command)
        log = sdist_path(REQUIREMENT, env).with_name("llama-cpp-python-0.0.1.tar.gz.log")
        assert str(log) in str(failure.value)
        assert "No matching distribution" in log.read_text()
        assert not sdist_path(REQUIREMENT, env).exists()


class TestInstall:
    @pytest.fixture(autouse=True)
    def environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "prefix", str(tmp_path))
        monkeypatch.setattr("importlib.metadata.version", lambda _: "0.0.1")

    def test_keeps_another_build_unless_flags_ask_for_one(self, fake_pip: FakePip):
        cuda = {**fake_pip.env, "CMAKE_ARGS": "-DGGML_CUDA=ON"}
        vulkan = {**fake_pip.env, "CMAKE_ARGS": "-DGGML_VULKAN=ON"}
        for env in (cuda, cuda, fake_pip.env, vulkan):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(subprocess, "run", lambda *_, **__: None)
                wheel_cache.install(REQUIREMENT, env, fake_pip.command)
        assert [args.split()[-1] for args in fake_pip.builds()] == [
            "-DGGML_CUDA=ON",
            "-DGGML_VULKAN=ON",
        ]

    def test_takes_a_new_pin(self, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: None)
        wheel_cache.install(REQUIREMENT, fake_pip.env, fake_pip.command)
        wheel_cache.install("llama-cpp-python==0.0.2", fake_pip.env, fake_pip.command)
        assert len(fake_pip.builds()) == 2


def test_pin_is_read_from_pyproject(tmp_path: Path):
    assert wheel_cache.pinned_requirement().startswith("llama-cpp-python==")
    (tmp_path / "pyproject.toml").write_text('dependencies = ["numpy"]')
    with pytest.raises(SystemExit, match="does not pin"):
        wheel_cache.pinned_requirement(tmp_path / "pyproject.toml")
