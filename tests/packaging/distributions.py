"""Builds llamabox's own distributions."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Distributions:
    sdist: Path
    wheel: Path


def build_distributions(out: Path) -> Distributions:
    """The sdist of this tree, and the wheel that pip builds from that sdist."""
    backend = f"from setuptools import build_meta as b; b.build_sdist({str(out)!r})"
    subprocess.run([sys.executable, "-c", backend], cwd=ROOT, check=True, capture_output=True)
    (sdist,) = out.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(out, filter="data")
    source = out / sdist.name.removesuffix(".tar.gz")
    reuse_build(source)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-index", "--no-deps"]
    pip += ["--no-build-isolation", "--no-cache-dir", "--wheel-dir", str(out), str(source)]
    subprocess.run(pip, check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    return Distributions(sdist, wheel)


def reuse_build(source: Path) -> None:
    """Gives an unpacked sdist what this tree has compiled, so that only the packing is new."""
    modules = {pyx.stem for pyx in (source / "llamabox/_core").glob("*.pyx")}

    def others(_: str, names: list[str]) -> list[str]:
        built = [name for name in names if name.endswith((".c", ".so"))]
        return [name for name in built if name.partition(".")[0] not in modules]

    release = ROOT / "build/release"
    if release.exists():
        shutil.copytree(release, source / "build/release", ignore=others)
