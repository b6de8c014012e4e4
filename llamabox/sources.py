"""Where a model comes from, when it is not a file yet.

Leaf module: frozen values that validate themselves.
"""

from __future__ import annotations

import dataclasses
import re

from .errors import InvalidRequest

__all__ = ["HubModel"]

_REPO = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HubModel:
    """A GGUF file of a repository on the Hugging Face hub.

    :param repo: ``user/name``.
    :param quant: quantization that the file's name has, such as ``Q4_K_M``; None takes Q4_K_M,
        Q8_0, or the first file, whichever is there.
    :param file: its path in the repository, or a glob pattern of it; wins over `quant`.
    :param token: access token; None takes the one that the hub's own tools have stored.
    :param cache_dir: folder of downloaded files; None takes the hub's own.
    :param offline: take what the cache has, and ask nobody.
    :raises InvalidRequest: `repo` is no such name.
    """

    repo: str
    quant: str | None = None
    file: str | None = None
    token: str | None = dataclasses.field(default=None, repr=False)
    cache_dir: str | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        if not _REPO.fullmatch(self.repo) or ".." in self.repo or "--" in self.repo:
            raise InvalidRequest(
                f"hf_repo: {self.repo!r} is not a name like user/repo or user/repo:quant",
                param="hf_repo",
            )

    @classmethod
    def named(cls, name: str, **fields: str | bool | None) -> HubModel:
        """What ``user/repo`` or ``user/repo:quant`` names; raises as the class."""
        repo, _, quant = name.partition(":")
        return cls(repo=repo, quant=quant or None, **fields)  # type: ignore[arg-type]
