"""Fixtures of the packaging tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.packaging.distributions import Distributions, build_distributions
from tests.packaging.fake_pip import SCRIPT, FakePip


@pytest.fixture
def fake_pip(tmp_path: Path) -> FakePip:
    script, calls = tmp_path / "fake_pip.py", tmp_path / "calls"
    script.write_text(SCRIPT)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "FAKE_PIP_CALLS": str(calls),
    }
    return FakePip((sys.executable, str(script)), calls, env)


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    return build_distributions(tmp_path_factory.mktemp("dist"))
