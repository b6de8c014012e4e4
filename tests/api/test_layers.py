"""Imports go one way: server, api, core; and the leaves are leaves."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import llamabox

ROOT = Path(llamabox.__file__).parent
SOURCES = sorted(p for p in ROOT.rglob("*") if p.suffix in {".py", ".pyx", ".pxd"})
MAY_IMPORT = {
    "server": {
        "server",
        "api",
        "errors",
        "params",
        "ranges",
        "samplers",
        "sources",
        "templates",
        "_version",
        "",
    },
    "api": {
        "api",
        "_core",
        "checks",
        "errors",
        "params",
        "ranges",
        "sources",
        "templates",
        "_version",
    },
    "_core": {"_core", "errors", "params"},
    "errors": set(),
    "params": {"params", "errors", "samplers", "checks", "ranges"},
    "ranges": {"checks"},
    "samplers": {"errors"},
    "templates": set(),
    "checks": {"errors", "samplers"},
    "sources": {"errors"},
    "_version": set(),
}
IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<source>[.\w]+)[ \t]+c?import[ \t]+(?P<names>\([^)]*\)|[^\n#]+)"
    r"|c?import[ \t]+(?P<modules>[^\n#]+))",
    re.MULTILINE,
)


def layer_of(module: str) -> str | None:
    """Of `llamabox.api.text`: "api"; of `llamabox`: ""; of another package's module: None."""
    parts = module.split(".")
    return None if parts[0] != "llamabox" else (parts[1] if len(parts) > 1 else "")


def absolute(source: str, package: list[str]) -> str:
    """The module that `from source import ...` names in a module of `package`."""
    n_dots = len(source) - len(source.lstrip("."))
    if not n_dots:
        return source
    parents = package[: len(package) - n_dots + 1]
    return ".".join([*parents, *filter(None, [source[n_dots:]])])


def python_imports(text: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            found.append(("." * node.level + (node.module or ""), names))
    return found


def cython_imports(text: str) -> list[tuple[str, list[str]]]:
    """`import` and `cimport`, which Python's own parser does not read."""
    text = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
    found: list[tuple[str, list[str]]] = []
    for match in IMPORT.finditer(text):
        if match["source"]:
            found.append((match["source"], re.findall(r"\w+", match["names"])))
        else:
            found += [(name.split()[0], []) for name in match["modules"].split(",")]
    return found


def imported_modules(path: Path) -> set[str]:
    read = python_imports if path.suffix == ".py" else cython_imports
    package = ["llamabox", *path.relative_to(ROOT).parts[:-1]]
    modules = set()
    for source, names in read(path.read_text()):
        module = absolute(source, package)
        modules |= {f"{module}.{name}" for name in names} if module == "llamabox" else {module}
    return modules


def forbidden(path: Path) -> set[str]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] in {"__init__", "__main__"}:
        return set()
    layers = {module: layer_of(module) for module in imported_modules(path)}
    public = {f"llamabox.{name}" for name in llamabox.__all__}
    allowed = MAY_IMPORT[parts[0]]
    return {
        module
        for module, layer in layers.items()
        if layer is not None and layer not in allowed and not ("" in allowed and module in public)
    }


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    assert forbidden(path) == set()


def test_every_layer_is_looked_into() -> None:
    layers = {path.relative_to(ROOT).parts[0] for path in SOURCES}
    assert {"server", "api", "_core", "errors.py", "params"} <= layers
    assert "llamabox._core.request" in imported_modules(ROOT / "_core" / "scheduler.pyx")
    assert "llamabox._core.outbox" in imported_modules(ROOT / "api" / "stream.py")
    assert "llamabox.errors" in imported_modules(ROOT / "_core" / "lib.pyx")


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("from ..api.text cimport Tokenizer", "llamabox.api.text"),
        ("cimport llamabox.server.app as app", "llamabox.server.app"),
        ("from llamabox.api import (\n    Engine,\n)", "llamabox.api"),
        ("    import llamabox.api", "llamabox.api"),
        ("from .. import api", "llamabox.api"),
    ],
)
def test_an_import_that_the_core_must_not_make_is_seen(line: str, module: str) -> None:
    found = set()
    for source, names in cython_imports(line):
        base = absolute(source, ["llamabox", "_core"])
        found |= {f"{base}.{name}" for name in names} if base == "llamabox" else {base}
    assert module in found


@pytest.mark.parametrize("module", ["llamabox", "llamabox.errors", "llamabox.params"])
def test_importing_the_package_does_not_load_llama_cpp(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print([m for m in ('llama_cpp', 'numpy', 'sanic', 'jinja2') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (run.stdout.strip(), run.stderr) == ("[]", "")


def test_the_library_does_not_load_the_server() -> None:
    code = "import sys, llamabox; llamabox.Engine; print('sanic' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (run.stdout.strip(), run.stderr) == ("False", "")


def test_all_is_exactly_the_public_names_and_sorted() -> None:
    names = llamabox.__all__
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    for name in names:
        assert getattr(llamabox, name) is not None
    private = {"annotations", "importlib", "TYPE_CHECKING", "Any"}
    modules = {path.stem for path in ROOT.iterdir()} | {"api", "server"}
    assert set(names) <= set(dir(llamabox))
    public = {name for name in vars(llamabox) if not name.startswith("_")}
    assert public - private - modules <= set(names)


def test_every_error_is_public_and_in_one_tree() -> None:
    for name in llamabox.errors.__all__:
        assert issubclass(getattr(llamabox, name), llamabox.LlamaboxError)
        assert name in llamabox.__all__


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Engin'"):
        llamabox.Engin  # noqa: B018
