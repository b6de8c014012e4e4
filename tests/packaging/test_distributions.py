"""The sdist, the wheel built from it, and what the wheel installs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.packaging.distributions import ROOT, Distributions

VERSION = (ROOT / "llamabox/_version.py").read_text().split('"')[1]
BUILT = (".so", ".pyc", ".pyd")


def sources(*directories: str) -> set[str]:
    """The source files below `directories`, relative to the root."""
    files = (file for name in directories for file in (ROOT / name).rglob("*"))
    return {
        file.relative_to(ROOT).as_posix()
        for file in files
        if file.is_file() and file.suffix not in BUILT
    }


def with_suffix(names: Iterable[str], *suffixes: str) -> set[str]:
    return {name for name in names if name.endswith(suffixes)}


@pytest.fixture(scope="module")
def sdist_names(distributions: Distributions) -> set[str]:
    with tarfile.open(distributions.sdist) as archive:
        names = [member.name for member in archive.getmembers() if member.isfile()]
    return {name.partition("/")[2] for name in names}


@pytest.fixture(scope="module")
def wheel_names(distributions: Distributions) -> set[str]:
    with zipfile.ZipFile(distributions.wheel) as archive:
        return set(archive.namelist())


class TestSdist:
    def test_holds_all_sources(self, sdist_names: set[str]):
        top = {"setup.py", "pyproject.toml", "MANIFEST.in", "Makefile", "LICENSE", "README.md"}
        assert sources("llamabox", "tests") | top <= sdist_names

    def test_holds_nothing_built(self, sdist_names: set[str]):
        assert with_suffix(sdist_names, *BUILT) == set()
        assert not {name for name in sdist_names if name.startswith(("build/", ".venv/"))}


class TestWheel:
    def test_holds_every_module_of_the_core(self, wheel_names: set[str]):
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        expected = {
            name.removesuffix(".pyx") + suffix for name in with_suffix(sources("llamabox"), ".pyx")
        }
        assert with_suffix(wheel_names, ".so", ".pyd") == expected

    def test_holds_python_stubs_declarations_and_the_model(self, wheel_names: set[str]):
        wanted = with_suffix(sources("llamabox"), ".py", ".pyi", ".pxd", ".gguf", "py.typed")
        assert wanted <= wheel_names

    def test_leaves_the_sources_of_the_core_out(self, wheel_names: set[str]):
        assert with_suffix(wheel_names, ".c", ".pyx") == set()
        assert not {name for name in wheel_names if name.startswith("llamabox/_core/src")}

    def test_holds_llamabox_only(self, wheel_names: set[str]):
        assert {name.partition("/")[0] for name in wheel_names} == {
            "llamabox",
            f"llamabox-{VERSION}.dist-info",
        }


@pytest.fixture(scope="module")
def installed(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of a new environment with the wheel; its dependencies are this one's."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False)
    python = home / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q"]
    pip += ["--no-index", "--no-deps", "--no-compile", str(distributions.wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


@pytest.mark.parametrize("command", [["llamabox"], ["python", "-m", "llamabox"]])
def test_command_is_installed(installed: Path, command: list[str], tmp_path: Path):
    line = [str(installed / command[0]), *command[1:], "--version"]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(line, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(f"llamabox {VERSION}")


def test_package_comes_from_the_wheel(installed: Path, tmp_path: Path):
    line = [str(installed / "python"), "-c", "import llamabox; print(llamabox.__file__)"]
    run = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(run.stdout.strip()).is_relative_to(installed.parent)
