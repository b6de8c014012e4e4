"""The engine: one model, one context, one step thread, any number of callers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import weakref
from collections.abc import Sequence
from typing import Any

from .._core.outbox import Outbox
from .._core.request import Request
from .._core.scheduler import Scheduler
from ..errors import EngineClosed, EngineOverloaded
from ..params import ChoiceParams, EngineParams, GenerationParams, ModelParams
from ..params.replacing import given
from .adapters import Adapters
from .chat import Message, model_template
from .choices import await_all, best, complete_all, start_one
from .closing import shut_down
from .constraints import ConstraintCompiler, is_constrained
from .context import OwnedContext, draft_rows, n_sequences
from .control_vectors import apply_directions
from .conversation import Conversation
from .draft import Draft, DraftModel
from .gate import Gate
from .layout import choose_layout
from .model import Model
from .prompts import Prompt, PromptLike, PromptReader
from .rates import Budgets, most_tokens_per_second
from .requests import NS, RequestMaker
from .results import Completion, EngineStats, Histogram
from .stream import AsyncStream, LoopDelivery, Orphans, Stream
from .system import default_sampling_threads
from .threads import ComputeThreads
from .tier import open_tier

CHUNK = 8
"""Rows of a prompt that are computed beside others' tokens, at least."""
FLASH_CHUNK = 64
"""The same with flash attention, which llama.cpp's CPU backend computes by tiles of 64 rows, and
several times slower below that (``GGML_FA_TILE_Q``)."""
HISTOGRAMS = ("queue_time", "first_token", "inter_token")


class Engine:
    """Continuous batching over one model; a context manager.

    `generate`, `chat` and `stream` block and may be called by any thread. Their `a...` forms,
    `prepare`, `prepare_chat`, `submit` and `submit_choices` belong to the running event loop;
    several loops and threads may share an engine. Options are fields of `GenerationParams`.

    :param model: a loaded `Model`, a path, or None for the packaged model.
    :param params: sizes and threads.
    :param chat_template: Jinja source that replaces the model's own.
    :param draft_model: a smaller model of the same vocabulary, or its path, that drafts tokens for
        this one to verify; the output is the same. None for no such model.
    :param draft_model_params: how its file is loaded.
    :ivar n_ctx: tokens that a request may hold.
    :ivar adapters: its LoRA adapters; `Adapters.set_scales` changes their scales.
    :ivar layout: how the context keeps its cells.
    :ivar drafts: whether anything drafts tokens for requests.
    :ivar constraints: compiles what outputs have to keep to.
    :ivar tokens_per_second: what a request may ask for at most; 0 for no such limit.
    :raises ModelLoadError: a model or its context cannot be made, or the draft model, an adapter
        or a control vector does not fit.
    :raises TemplateError: the chat template does not compile.
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str] | None = None,
        params: EngineParams | None = None,
        *,
        chat_template: str | None = None,
        draft_model: DraftModel | None = None,
        draft_model_params: ModelParams | None = None,
    ) -> None:
        self.params = given(params, EngineParams)
        with contextlib.ExitStack() as undo:
            owned_model = (
                None if isinstance(model, Model) else undo.enter_context(Model.load(model))
            )
            self.model: Model = owned_model or model  # type: ignore[assignment]
            tokenizer = self.model.tokenizer
            self.template = model_template(self.model, chat_template)
            draft = None
            if draft_model is not None and self.params.n_draft_max > 0:
                draft = Draft(self.model, draft_model, draft_model_params)
                undo.callback(draft.close)
            self.layout = choose_layout(self.model, self.params, draft.model if draft else None)
            n_draft_rows = draft_rows(self.params, has_model=draft is not None)
            self.drafts = n_draft_rows > 0 and self.model.can_be_cut
            sizes = (
                self.params
                if self.model.can_be_cut
                else self.params.replace(cache_ram=0, cache_disk=None)
            )
            self.adapters = Adapters(self.model, self.params)
            undo.callback(self.adapters.close)
            context = undo.enter_context(
                contextlib.closing(
                    OwnedContext(self.model, sizes, self.layout, n_draft_rows=n_draft_rows)
                )
            )
            apply_directions(self.model, self.params, context.address)
            if self.params.warmup:
                context.warm_up()
            tier = open_tier(self.model, self.params, self.layout, context)
            if tier:
                undo.callback(tier.close)
            self.n_ctx = min(self.params.n_ctx or context.core.n_ctx, context.core.n_ctx)
            self.tokens_per_second = most_tokens_per_second(
                self.model, self.params, context, self.n_ctx
            )
            self._scheduler = Scheduler(
                context.core,
                self.model.vocab,
                self.params.n_parallel,
                self.n_ctx,
                round(self.params.target_itl * NS),
                self.params.preempt_ram << 20,
                CHUNK if self.layout.flash_attention == "off" else FLASH_CHUNK,
                self.params.ctx_checkpoints * self.params.n_parallel,
                self.params.checkpoint_ram << 20,
                self.params.checkpoint_min_step,
                n_sampling_threads=self.params.n_threads_sampling or default_sampling_threads(),
                n_draft_rows=n_draft_rows,
                drafter=draft.drafter(self.params, self.layout, self.n_ctx) if draft else None,
                ngram_min=self.params.lookup_ngram_min,
                backend=context.backend,
                tier=tier.core if tier else None,
                has_adapters=len(self.adapters) > 0,
            )
            threads = ComputeThreads(self.params, [context, *(draft.contexts if draft else ())])
            undo.pop_all()
        self._deliveries = weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopDelivery]()
        self._orphans = Orphans()
        gate = Gate()
        self.constraints = ConstraintCompiler(self.model, gate)
        self._prompts = PromptReader(
            tokenizer, self.template, n_ctx=self.n_ctx, gate=gate, constraints=self.constraints
        )
        self._requests = RequestMaker(
            self.model,
            self.params,
            n_ctx=self.n_ctx,
            backend=context.backend,
            drafts=self.drafts,
            adapters=self.adapters,
            budgets=Budgets(self.tokens_per_second),
            gate=gate,
            constraints=self.constraints,
        )
        self._lock = threading.Lock()
        self._closing = threading.Lock()
        self._pid = os.getpid()
        thread = threads.step_thread(self._scheduler.run)
        thread.start()
        self._shut_down = weakref.finalize(
            self,
            shut_down,
            gate=gate,
            scheduler=self._scheduler,
            thread=thread,
            orphans=self._orphans,
            context=context,
            adapters=self.adapters,
            draft=draft,
            tier=tier,
            owned_model=owned_model,
        )

    def generate(
        self, prompt: PromptLike, params: GenerationParams | None = None, **options: Any
    ) -> Completion:
        """Run a prompt to its end.

        :raises InvalidRequest: the prompt or an option is wrong; `NoTokenLeft` if it shows later.
        :raises EngineClosed: the engine is closed.
        :raises EngineOverloaded: the queue is full.
        :raises GenerationError: llama.cpp failed.
        """
        return self.stream(prompt, params, **options).completion()

    def chat(
        self, messages: Sequence[Message], params: GenerationParams | None = None, **options: Any
    ) -> Completion:
        """Run the assistant's next turn to its end: a `Completion` with a `message`.

        Options are fields of `Conversation` (`tools`, `tool_choice`, ...) and `GenerationParams`.
        Raises as `generate`, and `TemplateError`.
        """
        return self.chat_stream(messages, params, **options).completion()

    def chat_stream(
        self, messages: Sequence[Message], params: GenerationParams | None = None, **options: Any
    ) -> Stream:
        """`chat` as an iterator of `Chunk`, whose `events` are pieces of the message."""
        conversation, options = Conversation.split(messages, options)
        return self.stream(conversation, params, **options)

    def stream(
        self, prompt: PromptLike, params: GenerationParams | None = None, **options: Any
    ) -> Stream:
        """Start a prompt; returns an iterator of `Chunk`. Raises as `generate`."""
        prepared = self._prompts.read(prompt)
        params = prepared.params(given(params, GenerationParams).replace(**options))
        request = self._request(prepared, params, Outbox())
        stream = Stream(request, params, self._orphans, prepared.output())
        self._submit(request)
        return stream

    def generate_choices(
        self,
        prompt: PromptLike,
        params: GenerationParams | None = None,
        *,
        n: int,
        best_of: int | None = None,
        **options: Any,
    ) -> list[Completion]:
        """Run a prompt to `n` ends (`ChoiceParams`); raises as `generate`.

        The prompt is computed once. Each output is that of `generate` with the seed plus its
        index, and if one fails, all do.
        """
        choices = ChoiceParams(n=n, best_of=best_of)
        prepared = self._prompts.read(prompt)
        params = prepared.params(given(params, GenerationParams).replace(**options))
        outboxes = [Outbox() for _ in range(choices.n_generated)]
        requests = self._requests.make_choices(prepared, params, choices, outboxes)
        output, orphans = prepared.output, self._orphans
        streams = [Stream(request, each, orphans, output()) for request, each in requests]
        self._submit(*(stream.request for stream in streams))
        return best(complete_all(streams), choices, params)

    async def agenerate(
        self, prompt: PromptLike, params: GenerationParams | None = None, **options: Any
    ) -> Completion:
        """`generate` for the running event loop; cancelled with its task."""
        stream = await self.astream(prompt, params, **options)
        return await stream.completion()

    async def achat(
        self, messages: Sequence[Message], params: GenerationParams | None = None, **options: Any
    ) -> Completion:
        """`chat` for the running event loop; cancelled with its task."""
        stream = await self.achat_stream(messages, params, **options)
        return await stream.completion()

    async def achat_stream(
        self, messages: Sequence[Message], params: GenerationParams | None = None, **options: Any
    ) -> AsyncStream:
        """`chat_stream` for the running event loop."""
        conversation, options = Conversation.split(messages, options)
        return await self.astream(conversation, params, **options)

    async def astream(
        self, prompt: PromptLike, params: GenerationParams | None = None, **options: Any
    ) -> AsyncStream:
        """`stream` for the running event loop."""
        params = given(params, GenerationParams).replace(**options)
        prepared = await self.prepare(prompt)
        await self.constrain(params, prepared)
        return await start_one(self, prepared, params)

    async def agenerate_choices(
        self,
        prompt: PromptLike,
        params: GenerationParams | None = None,
        *,
        n: int,
        best_of: int | None = None,
        **options: Any,
    ) -> list[Completion]:
        """`generate_choices` for the running event loop; cancelled with its task."""
        choices = ChoiceParams(n=n, best_of=best_of)
        params = given(params, GenerationParams).replace(**options)
        prepared = await self.prepare(prompt)
        await self.constrain(params, prepared)
        streams = await self.submit_choices(prepared, params, choices)
        return best(await await_all(streams), choices, params)

    async def prepare(self, prompt: PromptLike) -> Prompt:
        """Tokenize, off the event loop if it is much; raises as `generate`, and `TemplateError`."""
        return prompt if isinstance(prompt, Prompt) else await self._prompts.prepare(prompt)

    async def prepare_chat(self, messages: Sequence[Message], **fields: Any) -> Prompt:
        """`prepare` of a `Conversation` with these fields.

        :raises InvalidRequest: a field is wrong.
        :raises TemplateError: the template refuses the messages.
        :raises PromptTooLong: the prompt does not fit the context.
        """
        return await self.prepare(Conversation.of(messages, fields))

    async def constrain(self, params: GenerationParams, prompt: Prompt | None = None) -> None:
        """Compile the constraint of `params`, for `prompt`, off the event loop: `submit` finds it.

        :raises InvalidRequest: it is wrong; with the reason, and the field's name.
        """
        if prompt is not None and (prompt.is_constrained or is_constrained(params)):
            make, is_slow = prompt.params, bool(params.json_schema)
            params = await asyncio.to_thread(make, params) if is_slow else make(params)
        if not self.constraints.has(params):
            await asyncio.to_thread(self.constraints.compile, params)

    def submit(self, prompt: Prompt, params: GenerationParams) -> AsyncStream:
        """Start a prepared prompt for the running event loop, without waiting.

        Its samplers are made at once, which takes long with DRY: see `submit_choices`.

        :raises InvalidRequest: the prompt has no tokens, or is too long, or the grammar is wrong.
        :raises EngineClosed: the engine is closed.
        :raises EngineOverloaded: the queue is full.
        """
        loop = asyncio.get_running_loop()
        delivery = self._delivery(loop)
        params = prompt.params(params)
        request = self._request(prompt, params, delivery.outbox)
        stream = AsyncStream(request, params, loop, prompt.output())
        self._submit(request)
        delivery.listen()
        return stream

    async def submit_choices(
        self, prompt: Prompt, params: GenerationParams, choices: ChoiceParams
    ) -> list[AsyncStream]:
        """Start all outputs of a prepared prompt, or none; raises as `submit`.

        Returns a stream for each that is generated; to cancel one leaves the others. Their
        samplers are made off the event loop. `interleaved` reads them together, and `api.best`
        chooses among what came of them.
        """
        self._prompts.check(prompt)
        loop = asyncio.get_running_loop()
        delivery = self._delivery(loop)
        outboxes = [delivery.outbox] * choices.n_generated
        params = prompt.params(params)
        requests = await loop.run_in_executor(
            None, self._requests.make_choices, prompt, params, choices, outboxes
        )
        streams = [AsyncStream(request, each, loop, prompt.output()) for request, each in requests]
        self._submit(*(stream.request for stream in streams))
        delivery.listen()
        return streams

    def stats(self) -> EngineStats:
        """Counters since the start, and the state now; for any thread."""
        fields = self._scheduler.stats()
        for name in HISTOGRAMS:
            fields[name] = Histogram(*fields[name])
        fields["n_accepted_at"] = fields["n_accepted_at"][: self.params.n_draft_max]
        n_pools = n_sequences(self.params, partitioned=True) if self.layout.partitioned else 1
        return EngineStats(
            n_ctx=self.n_ctx,
            n_cells=self.n_ctx * n_pools,
            n_slots=self.params.n_parallel,
            tokens_per_second=self.tokens_per_second,
            **fields,
        )

    def close(self) -> None:
        """Cancel what runs, end the step thread and free the context; blocks for a step at most.

        Streams end with `FinishReason.CANCELLED`. Closing twice is fine.
        """
        with self._closing:
            self._shut_down()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _delivery(self, loop: asyncio.AbstractEventLoop) -> LoopDelivery:
        with self._lock:
            delivery = self._deliveries.get(loop)
            if delivery is None:
                delivery = self._deliveries[loop] = LoopDelivery(loop, self._orphans)
            return delivery

    def _request(self, prompt: Prompt, params: GenerationParams, outbox: Outbox) -> Request:
        self._prompts.check(prompt)
        return self._requests.make(prompt, params, outbox)

    def _submit(self, *requests: Request) -> None:
        if os.getpid() != self._pid:
            raise EngineClosed("the engine belongs to another process")
        self._orphans.sweep()
        if 0 < self.params.n_queue < self._scheduler.n_queued(len(requests)):
            raise EngineOverloaded(
                f"no more than {self.params.n_queue} requests may wait for a slot"
            )
        if not self._scheduler.submit(*requests):
            raise EngineClosed("the engine is closed")
