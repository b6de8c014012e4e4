"""Everything that llamabox raises on purpose.

::

    LlamaboxError
    ├── ModelLoadError            the model file or its context cannot be loaded
    │   └── HubError              the model cannot be had from the hub, or from a URL
    │       ├── HubAccessDenied   the repository is private or gated
    │       ├── HubNotFound       there is no such repository or file
    │       ├── HubUnreachable    no answer, and nothing in the cache
    │       └── HubFileDamaged    what came has another size or checksum, or is no GGUF file
    ├── IncompatibleLibrary       the installed llama-cpp-python does not fit this build
    ├── InvalidRequest            the caller's input is wrong; also a ValueError
    │   ├── NoTokenLeft           what the output has to keep to leaves nothing to sample
    │   ├── PromptTooLong         the prompt does not fit the context
    │   └── TemplateError         the chat template refused the messages
    ├── EngineError               the engine cannot serve
    │   ├── EngineClosed          it is closed, or closing
    │   └── EngineOverloaded      its queue is full
    └── GenerationError           one request failed inside llama.cpp

Leaf module: nothing of llamabox is imported here.
"""

from __future__ import annotations

__all__ = [
    "EngineClosed",
    "EngineError",
    "EngineOverloaded",
    "GenerationError",
    "HubAccessDenied",
    "HubError",
    "HubFileDamaged",
    "HubNotFound",
    "HubUnreachable",
    "IncompatibleLibrary",
    "InvalidRequest",
    "LlamaboxError",
    "ModelLoadError",
    "NoTokenLeft",
    "PromptTooLong",
    "TemplateError",
]


class LlamaboxError(Exception):
    """Root of the tree."""


class ModelLoadError(LlamaboxError):
    """The model or its context cannot be loaded; the message names the file and the reason."""


class HubError(ModelLoadError):
    """A model cannot be had from the Hugging Face hub, or from a URL; the message names it."""


class HubAccessDenied(HubError):
    """The repository is private or gated, and the token does not open it, or it does not exist."""


class HubNotFound(HubError):
    """There is no such repository, or no such file in it."""


class HubUnreachable(HubError):
    """The hub does not answer, or may not be asked, and the cache lacks the model."""


class HubFileDamaged(HubError):
    """A file came with another size or checksum than its server says, or is no GGUF file."""


class IncompatibleLibrary(LlamaboxError, ImportError):
    """The installed llama-cpp-python has another version or another ABI than llamabox needs."""


class InvalidRequest(LlamaboxError, ValueError):
    """A request is wrong in a way that its sender can mend.

    :param message: what is wrong.
    :param param: the field at fault, if one is.
    """

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param

    def about(self, name: str) -> InvalidRequest:
        """The same of a field that is called `name` where the sender wrote it."""
        return InvalidRequest(str(self).replace(self.param or "", name, 1), param=name)


class PromptTooLong(InvalidRequest):
    """The prompt has at least as many tokens as a request may hold.

    :param n_prompt: tokens in the prompt.
    :param n_ctx: tokens that a request may hold.
    :param is_exact: False if the prompt was not tokenized and `n_prompt` is the least it can have.
    """

    def __init__(self, *, n_prompt: int, n_ctx: int, is_exact: bool = True) -> None:
        super().__init__(
            f"the prompt has {'' if is_exact else 'at least '}{n_prompt} tokens, "
            f"the context holds {n_ctx}; "
            "at least one cell must be left for the output",
            param="prompt",
        )
        self.n_prompt = n_prompt
        self.n_ctx = n_ctx


class NoTokenLeft(InvalidRequest):
    """The output cannot go on: its constraint or the biases leave no token, or the constraint takes
    too long or runs into a limit. GBNF that allows none ends the output instead."""


class TemplateError(InvalidRequest):
    """The chat template does not compile, or refuses these messages."""


class EngineError(LlamaboxError):
    """The engine cannot take or finish the request, whatever the request says."""


class EngineClosed(EngineError):
    """The engine is closed or closing."""


class EngineOverloaded(EngineError):
    """The queue is full.

    :param retry_after: seconds after which another try makes sense.
    """

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GenerationError(LlamaboxError):
    """llama.cpp failed on a batch that held this request; other requests go on."""
