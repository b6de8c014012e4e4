"""Where a model comes from, when it is not a file yet.

Leaf module: frozen values that validate themselves.
"""

from __future__ import annotations

import dataclasses
import re
import urllib.parse

from .errors import InvalidRequest

__all__ = ["HubModel", "ModelSource", "UrlModel"]

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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UrlModel:
    """A GGUF file that a web server has.

    :param url: ``http://`` or ``https://``; of a split model, that of any part.
    :param token: access token for that server; None has none.
    :param cache_dir: folder of downloaded files; None takes the usual one.
    :param offline: take what is there, and ask nobody.
    :raises InvalidRequest: `url` is none of a file.
    """

    url: str = dataclasses.field(repr=False)
    token: str | None = dataclasses.field(default=None, repr=False)
    cache_dir: str | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        reason = _why_no_file(self.url)
        if reason:
            raise InvalidRequest(f"model_url: {reason}", param="model_url")


ModelSource = HubModel | UrlModel


def _why_no_file(url: str) -> str:
    """What is wrong with a URL; "" if nothing is."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "is not a URL like https://host/model.gguf"
    if parts.username or parts.password:
        return "a user in the URL is not supported; a token is (-hft)"
    name = urllib.parse.unquote(parts.path.rpartition("/")[2])
    if not name.strip(".") or not name.isprintable() or "/" in name:
        return "names no file"
    if port == 0 or any(ord(char) <= 32 or ord(char) > 126 for char in url):
        return "has characters that a URL cannot have"
    return ""
