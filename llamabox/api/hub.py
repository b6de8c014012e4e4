"""Models from the Hugging Face hub: found, downloaded, taken from the cache.

The `huggingface_hub` package, which is optional, speaks the protocol and keeps the cache, which it
shares with everybody's. ``HF_ENDPOINT``, ``HF_TOKEN``, ``HF_HUB_CACHE`` and ``HF_HUB_OFFLINE`` are
its own settings.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import (
    HubAccessDenied,
    HubError,
    HubFileDamaged,
    HubNotFound,
    HubUnreachable,
)
from ..sources import HubModel
from .hub_files import choose_files

__all__ = ["fetch"]

logger = logging.getLogger(__name__)

LIST_SECONDS = 15.0
"""That the hub may take to say what a repository has."""
Sizes = dict[str, int]
"""Bytes by path."""
Show = Callable[[float], bool | None]


def fetch(source: HubModel, *, progress: Show | None = None) -> Path:
    """The model's file on this machine, downloaded if it is not in the cache; blocks.

    A download goes on where its connection was cut; one that is given up begins anew the next time,
    but for the parts that came whole. Of a split model, all parts are fetched, and the first is
    returned. If the hub cannot be reached, the cache has to do.

    :param progress: told the share of a download, 0 to 1; returning False gives it up.
    :raises HubAccessDenied: the repository is private or gated, and the token does not open it.
    :raises HubNotFound: there is no such repository or file.
    :raises HubUnreachable: the hub cannot be reached, and the cache lacks the model.
    :raises HubFileDamaged: what came has another size than the hub says.
    :raises HubError: the download failed in another way, or `huggingface_hub` is not installed.
    """
    hub = _package()
    sizes = None if source.offline else _list_hub(hub, source)
    if sizes is None:
        return _from_cache(hub, source)
    parts = choose_files(sizes, source)
    total = sum(sizes[part] for part in parts)
    logger.info("%s: %s (%d MiB)", source.repo, ", ".join(parts), total >> 20)
    bar = _bar_class(total, progress)
    files = [_download(hub, source, part, sizes[part], bar) for part in parts]
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
        cache = hub.scan_cache_dir(source.cache_dir)
    except (hub.errors.CacheNotFound, ValueError):
        return []
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


def _download(hub: ModuleType, source: HubModel, part: str, size: int, bar: type) -> Path:
    """One file in the cache, with the size that the hub says."""
    path = _download_once(hub, source, part, bar, force=False)
    if path.stat().st_size != size:
        logger.warning("%s in the cache has not %d bytes; downloading it again", part, size)
        path = _download_once(hub, source, part, bar, force=True)
    if path.stat().st_size != size:
        raise HubFileDamaged(
            f"{source.repo}: {part} came with {path.stat().st_size} bytes instead of {size}"
        )
    return path


def _download_once(hub: ModuleType, source: HubModel, part: str, bar: type, *, force: bool) -> Path:
    with _translated(hub, f"{source.repo}: {part}"):
        return Path(
            hub.hf_hub_download(
                source.repo,
                part,
                cache_dir=source.cache_dir,
                token=source.token,
                endpoint=_endpoint(),
                tqdm_class=bar,
                force_download=force,
            )
        )


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
            return _refusal(what, status)
    if "Consistency check failed" in str(error):
        return HubFileDamaged(f"{what} came with another size than the hub says")
    for each in chain:
        if isinstance(each, (hub.errors.HTTPError, ConnectionError, TimeoutError)):
            return HubUnreachable(
                f"{what}: the hub cannot be reached: {each or type(each).__name__}"
            )
    return HubError(f"{what}: {error or type(error).__name__}")


def _refusal(what: str, status: int) -> HubError:
    if status in (401, 403):
        return HubAccessDenied(
            f"{what} is private or gated, or does not exist; a token may open it (-hft, HF_TOKEN)"
        )
    if status in (404, 410):
        return HubNotFound(f"{what} is not on the hub")
    return HubUnreachable(f"{what}: the hub answers with status {status}")


def _bar_class(total: int, progress: Show | None) -> type:
    """What the package makes a progress bar of for each file, telling the share of all of them."""
    n_before = 0

    class Bar:
        def __init__(self, *, initial: int = 0, **_: Any) -> None:
            self.update(initial)

        def update(self, n: float | None = 1) -> None:
            nonlocal n_before
            n_before += int(n or 0)
            if (
                progress is not None
                and total > 0
                and (progress(min(1.0, n_before / total)) is False)
            ):
                raise HubError("the download was given up")

        def close(self) -> None:
            """Nothing to wipe out."""

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

    return Bar
