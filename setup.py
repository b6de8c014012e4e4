"""Build of the Cython core; everything declarative is in pyproject.toml.

Every `llamabox/_core/*.pyx` becomes an extension module of its own. Set in the environment:

LLAMABOX_DEBUG=1          bounds and initialisation checks, and the core's own invariants
LLAMABOX_ANNOTATE=1       annotated HTML beside the generated C
LLAMABOX_JOBS=N           parallel jobs (default: the number of CPUs)
LLAMABOX_MODULES="lib x"  only these modules (default: all; "none" builds none)

Release, debug and annotated builds keep their generated C, objects and libraries apart under
`build/`, so that going from one to another never mixes them and recompiles nothing.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext as setuptools_build_ext

CORE = Path("llamabox/_core")
# Hand-written C in _core/src, by module.
EXTRA_SOURCES = {"logprobs": "logprobs_*.c", "sampler": "sampler_*.c"}


def enabled(name: str) -> bool:
    return os.environ.get(name, "0") not in ("", "0")


DEBUG = enabled("LLAMABOX_DEBUG")
ANNOTATE = enabled("LLAMABOX_ANNOTATE")
JOBS = int(os.environ.get("LLAMABOX_JOBS") or os.cpu_count() or 1)
MODULES = os.environ.get("LLAMABOX_MODULES", "").split()
BUILD = Path("build") / ("annotate" if ANNOTATE else "debug" if DEBUG else "release")

DIRECTIVES = {
    "language_level": 3,
    "embedsignature": True,
    "boundscheck": DEBUG,
    "initializedcheck": DEBUG,
    # The two below change what an expression means, so both builds have the same.
    "wraparound": False,
    "cdivision": True,
}


class build_ext(setuptools_build_ext):
    def copy_extensions_to_source(self) -> None:
        # copy_file() keeps a destination that is newer, such as the other build's library.
        self.force = True
        super().copy_extensions_to_source()


def compile_args() -> list[str]:
    if sys.platform == "win32":
        return ["/Od", "/Z7"] if DEBUG else ["/O2"]
    mode = ["-O1", "-g", "-UNDEBUG"] if DEBUG else ["-O3", "-g0"]
    return ["-fvisibility=hidden", *mode]


def extension(pyx: Path) -> Extension:
    pattern = EXTRA_SOURCES.get(pyx.stem)
    extra = sorted((CORE / "src").glob(pattern)) if pattern else []
    headers = [*CORE.glob("*.h"), *(CORE / "src").glob("*.h")]
    return Extension(
        f"llamabox._core.{pyx.stem}",
        sources=[pyx.as_posix(), *(c.as_posix() for c in extra)],
        depends=["setup.py", *(h.as_posix() for h in headers)],
        include_dirs=[CORE.as_posix(), (CORE / "src").as_posix()],
        define_macros=[("LLAMABOX_DEBUG", str(int(DEBUG)))],
        extra_compile_args=compile_args(),
    )


def extensions() -> list[Extension]:
    found = sorted(CORE.glob("*.pyx"))
    return [extension(pyx) for pyx in found if not MODULES or pyx.stem in MODULES]


def directives_changed() -> bool:
    """Whether a generated C file is older than this file, which Cython does not track."""
    changed = Path(__file__).stat().st_mtime
    return any(c.stat().st_mtime < changed for c in (BUILD / CORE).glob("*.c"))


setup(
    ext_modules=cythonize(
        extensions(),
        build_dir=str(BUILD),
        nthreads=JOBS,
        force=directives_changed(),
        annotate=ANNOTATE,
        compiler_directives=DIRECTIVES,
    ),
    cmdclass={"build_ext": build_ext},
    options={"build": {"build_base": str(BUILD)}, "build_ext": {"parallel": JOBS}},
)
