"""The draft model of an engine: loaded, compared with the target model, given a context."""

from __future__ import annotations

import contextlib
import os

import llama_cpp

from .._core.model_drafter import ModelDrafter
from ..errors import ModelLoadError
from ..params import EngineParams, ModelParams, RopeParams
from .context import Layout, OwnedContext
from .model import Model

DraftModel = Model | str | os.PathLike[str]

MAX_VOCAB_DIFFERENCE = 128
"""Tokens that one vocabulary may have at its end and the other lacks, as in llama.cpp
(``SPEC_VOCAB_MAX_SIZE_DIFFERENCE``): files of one family are padded to different sizes."""
FIRST_COMPARED = 5
"""The first token whose text is compared (``SPEC_VOCAB_CHECK_START_TOKEN_ID``): those before it are
control tokens, whose texts differ between files that agree in all else."""


class Draft:
    """A draft model and its context.

    :param target: the model that it drafts for; kept alive.
    :param draft_model: a loaded `Model`, which the caller goes on owning, or a path.
    :param model_params: how the file is loaded.
    :ivar model: the draft model.
    :ivar contexts: those of its drafters.
    :raises ModelLoadError: it cannot be loaded, or does not fit the target.
    """

    def __init__(
        self, target: Model, draft_model: DraftModel, model_params: ModelParams | None = None
    ) -> None:
        with contextlib.ExitStack() as undo:
            if isinstance(draft_model, Model):
                self.model = draft_model
            else:
                self.model = undo.enter_context(Model.load(draft_model, model_params))
            check_memory(target, self.model)
            check_vocabulary(target, self.model)
            self._owned = undo.pop_all()
        self._target = target
        self.contexts: list[OwnedContext] = []

    def drafter(self, params: EngineParams, layout: Layout, n_ctx: int) -> ModelDrafter:
        """What drafts, on a context that is closed with this object.

        The context has a sequence for each of the target's, in the same layout, and all cells of a
        sliding window, so that any part of a prefix can be cut off. Its cells are F16, and RoPE is
        the draft model's own, whatever the engine's are.

        :param params: of the engine.
        :param layout: of the engine's context.
        :param n_ctx: tokens that a request may hold.
        :raises ModelLoadError: llama.cpp cannot make the context.
        """
        params = params.replace(
            n_ctx=params.n_ctx_draft or n_ctx,
            backend_sampling="off",
            context_shift=False,
            swa_full=True,
            cache_type_k="f16",
            cache_type_v="f16",
            rope=RopeParams(),
        )
        context = OwnedContext(self.model, params, layout)
        self.contexts.append(context)
        self._owned.callback(context.close)
        if params.warmup:
            context.warm_up()
        n_cells = min(params.n_ctx, context.core.n_ctx)
        return ModelDrafter(
            context.core, self._target.vocab, self.model.n_vocab, params.n_parallel, n_cells
        )

    def close(self) -> None:
        """Free the context, and the model unless the caller owns it."""
        self._owned.close()


def check_memory(target: Model, draft: Model) -> None:
    """:raises ModelLoadError: the state of one of the models cannot be taken back."""
    for model in (target, draft):
        if llama_cpp.llama_model_is_recurrent(model.address) or llama_cpp.llama_model_is_hybrid(
            model.address
        ):
            raise ModelLoadError(
                f"{model.path}: its recurrent state cannot be taken back when a draft is rejected,"
                " so it neither drafts nor is drafted for"
            )


def check_vocabulary(target: Model, draft: Model) -> None:
    """Whether a token means the same to both models, for all tokens that both have.

    The output is the target's whatever is drafted; but drafts in another vocabulary are wrong.

    :raises ModelLoadError: it does not; the message names the first difference.
    """
    difference = _difference(target, draft)
    if difference:
        raise ModelLoadError(
            f"{draft.path}: it cannot draft for {target.path}, for their vocabularies differ:"
            f" {difference}"
        )


def _difference(target: Model, draft: Model) -> str:
    """What distinguishes two vocabularies, the draft model's first; "" if nothing does."""
    ours = llama_cpp.llama_model_get_vocab(target.address)
    its = llama_cpp.llama_model_get_vocab(draft.address)
    if target.vocab_type != draft.vocab_type:
        return f"type {draft.vocab_type} against {target.vocab_type}"
    n_more = abs(target.n_vocab - draft.n_vocab)
    if n_more > MAX_VOCAB_DIFFERENCE:
        return f"{draft.n_vocab} tokens against {target.n_vocab}"
    for name in ("bos", "eos"):
        adds = getattr(llama_cpp, f"llama_vocab_get_add_{name}")
        if adds(its) != adds(ours):
            return f"{name.upper()} is added to a text by only one of them"
        token = getattr(llama_cpp, f"llama_vocab_{name}")
        if adds(its) and token(its) != token(ours):
            return f"{name.upper()} is token {token(its)} against {token(ours)}"
    text = llama_cpp.llama_vocab_get_text
    for i in range(FIRST_COMPARED, min(target.n_vocab, draft.n_vocab)):
        if text(its, i) != text(ours, i):
            return f"token {i} is {_shown(text(its, i))} against {_shown(text(ours, i))}"
    return ""


def _shown(text: bytes) -> str:
    return repr(text.decode("utf-8", "replace"))
