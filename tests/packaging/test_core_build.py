"""How setup.py builds the core: one module per .pyx, debug and release kept apart."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.distributions import ROOT

SAMPLER = """
from llamabox._core.debug cimport LLAMABOX_DEBUG

cdef extern from "sampler_kernel.h":
    int kernel(int x)

def debug():
    return bool(LLAMABOX_DEBUG)

def item(int[:] values, int i):
    return kernel(values[i])
"""
CHECK = """
import array
from llamabox._core import sampler
values = array.array("i", [1, 2])
try:
    checked = sampler.item(values, 2) is None
except IndexError:
    checked = True
print(sampler.debug(), checked, sampler.item(values, 1))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with a core of one module, which has hand-written C beside it."""
    root = tmp_path_factory.mktemp("tree")
    core = root / "llamabox/_core"
    (core / "src").mkdir(parents=True)
    for name in ("setup.py", "llamabox/_core/debug.h", "llamabox/_core/debug.pxd"):
        shutil.copy(ROOT / name, root / name)
    for package in (root / "llamabox", core):
        (package / "__init__.py").touch()
    (core / "sampler.pyx").write_text(SAMPLER)
    (core / "src/sampler_kernel.h").write_text("int kernel(int x);\n")
    (core / "src/sampler_kernel.c").write_text(
        '#include "sampler_kernel.h"\nint kernel(int x) { return 10 * x; }\n'
    )
    return root


def build(tree: Path, mode: str) -> str:
    """Builds in place and tells whether it is a debug build, checks bounds, and runs the C."""
    env = {**os.environ, "LLAMABOX_DEBUG": mode, "LLAMABOX_JOBS": "1", "PYTHONPATH": str(tree)}
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    subprocess.run(command, cwd=tree, env=env, check=True, capture_output=True)
    run = subprocess.run(
        [sys.executable, "-c", CHECK], cwd=tree, env=env, check=True, capture_output=True, text=True
    )
    return run.stdout.strip()


def test_modes_are_kept_apart(tree: Path):
    assert build(tree, "0") == "False False 20"
    assert build(tree, "1") == "True True 20"
    objects = {path: path.stat().st_mtime_ns for path in tree.rglob("build/**/*.o")}
    assert build(tree, "0") == "False False 20"
    assert build(tree, "1") == "True True 20"
    assert objects == {path: path.stat().st_mtime_ns for path in tree.rglob("build/**/*.o")}
    assert len(objects) == 4


def test_generated_c_stays_out_of_the_source_tree(tree: Path):
    build(tree, "0")
    core = tree / "llamabox/_core"
    assert list(core.glob("*.c")) == []
    assert (tree / "build/release/llamabox/_core/sampler.c").exists()
