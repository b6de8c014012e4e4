"""Models from plain URLs: downloaded, kept in a folder, asked for again when they change.

``LLAMA_CACHE`` names the folder; else it is ``llamabox`` in ``XDG_CACHE_HOME``, or in ``~/.cache``.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import urllib.error
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from ..errors import HubError, HubUnreachable
from ..sources import UrlModel
from .download import STALL_SECONDS, Advance, cache_folder, disk_errors, download, request_headers
from .http_open import open_url
from .split import part_names
from .versions import Version

__all__ = ["fetch_url"]

logger = logging.getLogger(__name__)

Show = Callable[[float], bool | None]


def fetch_url(source: UrlModel, *, progress: Show | None = None) -> Path:
    """The file of a URL on this machine, downloaded if it is not there or has changed; blocks.

    Of a split model, all parts are fetched from beside the one that is named, and the first is
    returned. Where the server does not answer, or refuses, what is there has to do.

    :param progress: told the share of the download, 0 to 1; returning False gives it up.
    :raises HubError: of the kind that says why it cannot be had.
    """
    split = urllib.parse.urlsplit(source.url)
    folder_path, _, name = split.path.rpartition("/")
    names = part_names(urllib.parse.unquote(name))
    folder = _folder(source, f"{split.scheme}://{split.netloc}{folder_path}?{split.query}")
    for i, part in enumerate(names):
        path = f"{folder_path}/{urllib.parse.quote(part)}" if len(names) > 1 else split.path
        url = split._replace(path=path, fragment="").geturl()
        # A query may hold a secret, so messages do not have it.
        what = f"{split.scheme}://{split.netloc}{path}"
        _fetch(url, folder / part, what, source, _advance(i, len(names), progress))
    return folder / names[0]


def _folder(source: UrlModel, where: str) -> Path:
    """A folder of its own for each folder of a server, so that names do not collide."""
    root = source.cache_dir or os.environ.get("LLAMA_CACHE")
    if not root:
        root = str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "llamabox")
    return cache_folder(root) / "url" / hashlib.sha256(where.encode()).hexdigest()[:16]


def _fetch(url: str, target: Path, what: str, source: UrlModel, advance: Advance) -> None:
    headers = {"Authorization": f"Bearer {source.token}"} if source.token else {}
    with disk_errors(what, target.parent):
        known = Version.of_file(target) if target.exists() else None
    if known is not None:
        if source.offline or not _has_changed(url, known, what, headers):
            advance(1, 1)
            return
    elif source.offline:
        raise HubUnreachable(f"offline, and {what} is not in {target.parent}")
    logger.info("downloading %s", what)
    download(url, target, what=what, advance=advance, headers=headers, stale=known)


def _has_changed(url: str, known: Version, what: str, headers: dict[str, str]) -> bool:
    """Whether the server has another version than the one that is there.

    A process may have ended before it wrote which version that is; then it counts as another.
    """
    conditions = {"Range": "bytes=0-0"}
    if known.etag:
        conditions["If-None-Match"] = known.etag
    elif known.modified:
        conditions["If-Modified-Since"] = known.modified
    try:
        with open_url(url, {**request_headers(), **conditions, **headers}, STALL_SECONDS) as answer:
            return Version.of(answer) != known
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 304:
            logger.warning("%s: status %d; taking what is there", what, error.code)
        return False
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        logger.warning("%s cannot be reached: %s; taking what is there", what, reason)
        return False


def _advance(i: int, n_parts: int, show: Show | None) -> Advance:
    """What tells the share of all parts, as if they had one size."""

    def advance(n: int, size: int | None) -> None:
        if show is not None and show((i + (n / size if size else 0.0)) / n_parts) is False:
            raise HubError("the download was given up")

    return advance
