"""Models from the Hugging Face hub: found, downloaded, taken from the cache.

The `huggingface_hub` package, which is optional, speaks the protocol and keeps the cache, which it
shares with everybody's. ``HF_ENDPOINT``, ``HF_TOKEN``, ``HF_HUB_CACHE`` and ``HF_HUB_OFFLINE`` are
its own settings.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import (
    HubError,
    HubFileDamaged,
    HubNotFound,
    HubUnreachable,
)
from ..sources import HubModel, ModelSource, UrlModel
from .download import Wanted, cache_folder, download, has_size
from .http_open import refusal
from .hub_files import choose_files
from .url_models import fetch_url

__all__ = ["fetch"]

logger = logging.getLogger(__name__)

SHA256 = re.compile(r"[0-9a-f]{64}")
LIST_SECONDS = 15.0
"""That the hub may take to say what a repository has."""
Sizes = dict[str, int]
"""Bytes by path."""
Show = Callable[[float], bool | None]


def fetch(source: ModelSource, *, progress: Show | None = None) -> Path:
    """The model's file on this machine, downloaded if it is not in the cache; blocks.

    A download goes on where its connection was cut, or where another process has left it; what has
    come is checked by size and SHA-256. Of a split model, all parts are fetched, and the first is
    returned. If the hub cannot be reached, or fails meanwhile, the cache has to do.

    :param progress: told the share of a download, 0 to 1; returning False gives it up.
    :raises HubAccessDenied: the repository is private or gated, and the token does not open it.
    :raises HubNotFound: there is no such repository or file.
    :raises HubUnreachable: the hub cannot be reached, and the cache lacks the model.
    :raises HubFileDamaged: what came has another size or checksum than the hub says.
    :raises HubError: the download failed in another way, or `huggingface_hub` is not installed.
    """
    if isinstance(source, UrlModel):
        return fetch_url(source, progress=progress)
    hub = _package()
    sizes = None if source.offline else _list_hub(hub, source)
    if sizes is None:
        return _from_cache(hub, source)
    parts = choose_files(sizes, source)
    total = sum(sizes[part] for part in parts)
    logger.info("%s: %s (%d MiB)", source.repo, ", ".join(parts), total >> 20)
    share = Share(total, progress)
    try:
        files = [_download(hub, source, part, sizes[part], share) for part in parts]
    except HubUnreachable as error:
        logger.warning("%s; looking into the cache", error)
        with contextlib.suppress(HubError):
            return _from_cache(hub, source)
        raise
    return files[0]


def _package() -> ModuleType:
    try:
        import huggingface_hub.errors
    except ImportError:
        raise HubError(
            "models of the hub need the package huggingface_hub: pip install llamabox[hub]"
        ) from None
    package: ModuleType = huggingface_hub
    return package


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _list_hub(hub: ModuleType, source: HubModel) -> Sizes | None:
    """All files of the repository; None if the hub cannot be reached and the cache may do."""
    api = hub.HfApi(endpoint=_endpoint(), token=source.token)
    try:
        with _translated(hub, source.repo):
            info = api.model_info(source.repo, files_metadata=True, timeout=LIST_SECONDS)
            files = info.siblings or ()
            return {file.rfilename: file.size for file in files if file.size is not None}
    except HubUnreachable as error:
        logger.warning("%s; looking into the cache", error)
        return None


def _from_cache(hub: ModuleType, source: HubModel) -> Path:
    """The model's file in the cache.

    :raises HubUnreachable: it is not all there.
    """
    snapshots = _cached_snapshots(hub, source)
    for folder, paths in snapshots:
        with contextlib.suppress(HubNotFound):
            return folder / choose_files(paths, source)[0]
    why = "offline" if source.offline else "the hub cannot be reached"
    raise HubUnreachable(
        f"{why}, and the cache has no such file of {source.repo}"
        f" ({source.file or source.quant or 'any GGUF'})"
    )


def _cached_snapshots(hub: ModuleType, source: HubModel) -> list[tuple[Path, list[str]]]:
    """Folders of the repository in the cache with the files in them; the latest first."""
    try:
        cache = hub.scan_cache_dir(_cache(hub, source))
    except (hub.errors.CacheNotFound, ValueError):
        return []
    except (OSError, RuntimeError) as error:
        raise HubError(f"{source.repo}: the cache cannot be read: {error}") from None
    revisions = [
        revision
        for repo in cache.repos
        if repo.repo_type == "model" and repo.repo_id == source.repo
        for revision in repo.revisions
    ]
    revisions.sort(key=lambda revision: ("main" in revision.refs, revision.last_modified))
    return [
        (
            revision.snapshot_path,
            [
                file.file_path.relative_to(revision.snapshot_path).as_posix()
                for file in revision.files
            ],
        )
        for revision in reversed(revisions)
    ]


def _download(hub: ModuleType, source: HubModel, part: str, size: int, share: Share) -> Path:
    """One file in the cache, with the size that the hub says.

    The package's own downloads begin anew in another process, and check no content; so the bytes
    are fetched here, to where the package looks for them, if the hub tells their checksum.
    """
    what = f"{source.repo}: {part}"
    cache = _cache(hub, source)
    with _translated(hub, what):
        url = hub.hf_hub_url(source.repo, part, endpoint=_endpoint())
        head = hub.get_hf_file_metadata(url, token=source.token, endpoint=_endpoint())
        cached = hub.try_to_load_from_cache(
            source.repo, part, cache_dir=cache, revision=head.commit_hash
        )
    held = [Path(cached)] if isinstance(cached, str) else []
    if head.etag and SHA256.fullmatch(head.etag):
        blob = cache / f"models--{source.repo.replace('/', '--')}/blobs/{head.etag}"
        if not any(has_size(path, size) for path in (*held, blob)):
            headers = hub.utils.build_hf_headers(token=source.token)
            wanted = Wanted(size=size, sha256=head.etag)
            download(url, blob, what=what, advance=share.advance, wanted=wanted, headers=headers)
    for path in held:
        if not has_size(path, size):
            logger.warning("%s in the cache has not %d bytes; downloading it again", part, size)
            with _translated(hub, what):
                path.resolve().unlink(missing_ok=True)
    path = _settle(hub, source, part, share.bar)
    if path.stat().st_size != size:
        raise HubFileDamaged(f"{what} came with {path.stat().st_size} bytes instead of {size}")
    share.end_part(size)
    return path


def _settle(hub: ModuleType, source: HubModel, part: str, bar: type) -> Path:
    """Have the package enter a file in its cache; it downloads what is not there."""
    with _translated(hub, f"{source.repo}: {part}"):
        return Path(
            hub.hf_hub_download(
                source.repo,
                part,
                cache_dir=_cache(hub, source),
                token=source.token,
                endpoint=_endpoint(),
                tqdm_class=bar,
            )
        )


def _cache(hub: ModuleType, source: HubModel) -> Path:
    """The folder of downloaded files; llama.cpp's variable comes before the hub's."""
    own = source.cache_dir or os.environ.get("LLAMA_CACHE")
    return cache_folder(own or hub.constants.HF_HUB_CACHE)


@contextlib.contextmanager
def _translated(hub: ModuleType, what: str) -> Iterator[None]:
    """Raise our own errors for the package's, which hold pages of advice."""
    try:
        yield
    except HubError:
        raise
    except Exception as error:
        raise _error_of(hub, what, error) from error


def _error_of(hub: ModuleType, what: str, error: BaseException) -> HubError:
    """Where the package looks into its cache after a failure, the failure is the cause."""
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    for each in chain:
        status = getattr(getattr(each, "response", None), "status_code", None)
        if status is not None:
            return refusal(what, status)
    if "Consistency check failed" in str(error):
        return HubFileDamaged(f"{what} came with another size than the hub says")
    for each in chain:
        if isinstance(each, (hub.errors.HTTPError, ConnectionError, TimeoutError)):
            return HubUnreachable(
                f"{what}: the hub cannot be reached: {each or type(each).__name__}"
            )
    return HubError(f"{what}: {error or type(error).__name__}")


class Share:
    """The share of a download of several files that is there.

    :param total: bytes of all files.
    :param show: told it, 0 to 1; returning False gives the download up.
    :ivar bar: what the package makes a progress bar of for each file.
    """

    def __init__(self, total: int, show: Show | None) -> None:
        self._total = total
        self._show = show
        self._n_before = 0
        self._n_barred = 0
        self.bar = self._bar_class()

    def advance(self, n: int, size: int | None = None) -> None:
        """So many bytes of the current file are there.

        :raises HubError: the download is given up.
        """
        if self._show is None:
            return
        share = (self._n_before + n) / self._total if self._total else 0.0
        if self._show(min(1.0, share)) is False:
            raise HubError("the download was given up")

    def end_part(self, size: int) -> None:
        """The current file is there."""
        self._n_before += size
        self._n_barred = 0
        self.advance(0)

    def _bar_class(self) -> type:
        share = self

        class Bar:
            def __init__(self, *, initial: int = 0, **_: Any) -> None:
                self.update(initial)

            def update(self, n: float | None = 1) -> None:
                share._n_barred += int(n or 0)
                share.advance(share._n_barred)

            def close(self) -> None:
                """Nothing to wipe out."""

            def __enter__(self) -> Bar:
                return self

            def __exit__(self, *_: object) -> None:
                self.close()

        return Bar
