"""Chat templates that can be asked for by name: a Jinja file for each.

Leaf package: Jinja sources, nothing else. The names and what the templates write are those of
llama.cpp's `llama_chat_apply_template`; `falcon`, `llava` and `llava-mistral` are llama-box's. The
text of a beginning-of-sequence token is left to the tokenizer, as there.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator, Mapping

SUFFIX = ".jinja"


class _Sources(Mapping[str, str]):
    """Reads a source when it is asked for."""

    def __init__(self) -> None:
        self._folder = importlib.resources.files(__name__)
        names = (file.name for file in self._folder.iterdir() if file.name.endswith(SUFFIX))
        self._names = sorted(name.removesuffix(SUFFIX) for name in names)

    def __getitem__(self, name: str) -> str:
        if name not in self._names:
            raise KeyError(name)
        return self._folder.joinpath(name + SUFFIX).read_text(encoding="utf-8")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


NAMED_TEMPLATES: Mapping[str, str] = _Sources()
"""Sources by name, sorted."""
CHATML = NAMED_TEMPLATES["chatml"]
"""What models get that bring none."""
