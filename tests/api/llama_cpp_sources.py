"""llama.cpp's chat template files, from the sdist of llama-cpp-python in the wheel cache."""

from __future__ import annotations

import functools
import os
import tarfile

import pytest

import wheel_cache

FOLDER = "/vendor/llama.cpp/models/templates/"


@functools.cache
def template_files() -> dict[str, str]:
    """Jinja sources by file name, without the suffix; none if the sdist is not there."""
    path = wheel_cache.sdist_path(wheel_cache.pinned_requirement(), os.environ)
    if not path.exists():
        return {}
    with tarfile.open(path) as archive:
        found = {
            member.name.rpartition("/")[2].removesuffix(".jinja"): archive.extractfile(member)
            for member in archive
            if FOLDER in member.name and member.name.endswith(".jinja")
        }
        return {name: file.read().decode() for name, file in found.items() if file is not None}


def needed_template_files() -> dict[str, str]:
    """The same; skips the test without them, or fails where they have to be there."""
    files = template_files()
    if not files and os.environ.get("LLAMABOX_NEEDS_SOURCES"):
        pytest.fail("the sdist of llama-cpp-python is not in the cache: scripts/wheel_cache.py")
    if not files:
        pytest.skip("`python scripts/wheel_cache.py sources` downloads llama.cpp's templates")
    return files
