"""The engine's life inside a server: loading, ready, closing. ``app.ctx`` is one of these."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sanic import Request, Sanic
from sanic.config import Config

from ..errors import LlamaboxError, ModelLoadError
from ..sources import ModelSource
from .config import ServerConfig
from .errors import NotReady
from .json_body import LARGE_BODY, json_object
from .scheduling import yield_to_computing

if TYPE_CHECKING:
    from ..api import Engine

__all__ = ["OpenEngine", "ServerApp", "ServerRequest", "Service", "open_engine"]

logger = logging.getLogger(__name__)

Progress: TypeAlias = Callable[[float], bool]
OpenEngine: TypeAlias = "Callable[[ServerConfig, Progress], Engine]"
ServerApp: TypeAlias = "Sanic[Config, Service]"
ServerRequest: TypeAlias = "Request[ServerApp, SimpleNamespace]"
_T = TypeVar("_T")


def open_engine(config: ServerConfig, progress: Progress) -> Engine:
    """Load the configured model and start an engine on it. Blocks.

    :param progress: called with 0 to 1 while the file is read; False gives the loading up.
    :raises LlamaboxError: the model or its context cannot be had.
    """
    from ..api import Engine, Model, packaged_model

    file = _file_of(config.model, config.hub_model, progress)
    draft_file = _file_of(config.draft_model, config.hub_draft_model, progress)
    if file is None:
        logger.info("no model given with -m: serving the packaged %s", packaged_model().name)
    else:
        logger.info("loading %s", file)
    if draft_file is not None:
        logger.info("drafting with %s", draft_file)
    model = Model.load(file, config.model_params, progress=progress)
    try:
        return Engine(
            model,
            config.engine_params,
            chat_template=config.chat_template,
            draft_model=draft_file,
            draft_model_params=config.draft_model_params,
        )
    except BaseException:
        model.close()
        raise


def _file_of(file: Path | None, hub_model: ModelSource | None, progress: Progress) -> Path | None:
    """A model's file, which the hub has to give first if it is named there."""
    from ..api import fetch

    return file if hub_model is None else fetch(hub_model, progress=progress)


class Service:
    """One configured engine and the threads that prepare its requests.

    :param config: what to serve.
    :param open_engine: how the engine is had; blocks, runs on a worker thread.
    :param show_progress: called from that thread with 0 to 1.
    """

    def __init__(
        self,
        config: ServerConfig,
        open_engine: OpenEngine = open_engine,
        show_progress: Callable[[float], None] = lambda fraction: None,
    ) -> None:
        self.config = config
        self.http_counts: dict[tuple[str, int], int] = {}
        self.loaded_at = 0
        self._open_engine = open_engine
        self._show_progress = show_progress
        self._executor = ThreadPoolExecutor(config.executor_threads, "llamabox-http")
        self._engine: Engine | None = None
        self._error: Exception | None = None
        self._loading: asyncio.Task[None] | None = None
        self._is_closing = False
        self._is_closed = False

    @property
    def engine(self) -> Engine:
        """The engine.

        :raises NotReady: it is being loaded, could not be loaded, or is being closed.
        """
        if self._error is not None:
            raise NotReady(str(self._error))
        if self._is_closing:
            raise NotReady("The server is shutting down")
        if self._engine is None:
            raise NotReady("Loading model")
        return self._engine

    def check_ready(self) -> None:
        """:raises NotReady: as :attr:`engine` does."""
        _ = self.engine

    @property
    def model_name(self) -> str:
        return self.config.alias or self.engine.model.name

    def start(self) -> None:
        """Begin to load; the calling loop stays free.

        The engine prepares prompts on the loop's default executor, which becomes this service's.
        """
        loop = asyncio.get_running_loop()
        loop.set_default_executor(self._executor)
        self._loading = loop.create_task(self._load())

    async def loaded(self) -> None:
        """Wait for the engine.

        :raises LlamaboxError: it cannot be had.
        """
        if self._loading is not None:
            await asyncio.wait({self._loading})
        if self._error is not None:
            raise self._error

    async def close(self, timeout: float) -> bool:
        """Cancel what runs and close the engine; the rest is left for :meth:`free`.

        :param timeout: seconds to wait for the engine.
        :returns: False if the engine was still busy by then.
        """
        self._is_closing = True
        closing = asyncio.ensure_future(self._close())
        done, _ = await asyncio.wait({closing}, timeout=timeout)
        self._is_closed = bool(done)
        return self._is_closed

    async def free(self, timeout: float) -> bool:
        """After the last reply: end the threads, and free the model if nothing uses it.

        :param timeout: seconds to wait for the threads.
        :returns: False if the engine or a thread was still busy by then.
        """
        self._executor.shutdown(wait=False, cancel_futures=True)
        if not self._is_closed:
            return False
        ending = asyncio.ensure_future(_run_apart(self._executor.shutdown))
        done, _ = await asyncio.wait({ending}, timeout=timeout)
        if done and self._engine is not None:
            self._engine.model.close()
            self._engine = None
        return bool(done)

    async def read(
        self,
        body: bytes,
        parse: Callable[[Any], _T],
        load: Callable[[bytes], Any] = json_object,
    ) -> _T:
        """What ``parse`` makes of a request's body; a large one is parsed on another thread.

        :raises InvalidRequest: the body is not what ``load`` wants, or ``parse`` refuses it.
        """
        if len(body) <= LARGE_BODY:
            return parse(load(body))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: parse(load(body)))

    def count(self, route: str, status: int) -> None:
        """Add one answered HTTP request to the metrics."""
        key = (route, status)
        self.http_counts[key] = self.http_counts.get(key, 0) + 1

    async def _close(self) -> None:
        if self._loading is not None:
            await self._loading
        if self._engine is not None:
            await _run_apart(self._engine.close)

    async def _load(self) -> None:
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        try:
            self._engine = await loop.run_in_executor(
                self._executor, self._open_engine, self.config, self._progress
            )
            await self._check_defaults(self._engine)
        except LlamaboxError as error:
            self._error = error
        except Exception as error:
            logger.exception("loading failed")
            self._error = ModelLoadError(f"loading failed: {error}")
        else:
            self.loaded_at = int(time.time())
            yield_to_computing()
            layout = self._engine.layout
            logger.info(
                "model loaded in %.1f s; KV layout %s, flash attention %s",
                time.perf_counter() - started,
                layout.kv_layout,
                layout.flash_attention,
            )

    async def _check_defaults(self, engine: Engine) -> None:
        """What only the model can tell of what requests get that say nothing of it.

        :raises InvalidRequest: they could not run.
        """
        from ..api import check_bias_ids

        defaults = self.config.defaults
        check_bias_ids(defaults, engine.model.n_vocab)
        await engine.constrain(defaults)

    def _progress(self, fraction: float) -> bool:
        self._show_progress(fraction)
        return not self._is_closing


async def _run_apart(job: Callable[[], object]) -> None:
    """Wait for ``job`` on a thread of its own, which nobody has to wait for."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def run() -> None:
        try:
            job()
        finally:
            with contextlib.suppress(RuntimeError):  # The loop may have ended before.
                loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=run, daemon=True).start()
    await ended.wait()
