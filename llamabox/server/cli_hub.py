"""The flags that name models to download: of the Hugging Face hub, or of any web server."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidRequest
from ..sources import HubModel, UrlModel
from .cli_parser import FlagGroup

__all__ = ["add_hub", "hub_models"]


def add_hub(group: FlagGroup) -> None:
    group.value(
        "-mu",
        "--model-url",
        dest="model_url",
        metavar="URL",
        help="Model to download from a URL; a split one by any part's",
    )
    group.value(
        "-hf",
        "-hfr",
        "--hf-repo",
        dest="hf_repo",
        metavar="USER/REPO[:QUANT]",
        help="Model of the Hugging Face hub (default quantization: Q4_K_M, else Q8_0, else the\n"
        "first GGUF)",
    )
    group.value(
        "-hff",
        "--hf-file",
        dest="hf_file",
        metavar="FILE",
        help="File of that repository, or a glob pattern; wins over QUANT",
    )
    group.value(
        "-hfd",
        "-hfrd",
        "--hf-repo-draft",
        "--spec-draft-hf",
        dest="hf_repo_draft",
        metavar="USER/REPO[:QUANT]",
        help="The same for the draft model",
    )
    group.value(
        "-hffd",
        "--hf-file-draft",
        dest="hf_file_draft",
        metavar="FILE",
        help="The same for the draft model",
    )
    group.value(
        "-hft",
        "--hf-token",
        dest="hf_token",
        metavar="TOKEN",
        help="Access token for the hub (default: HF_TOKEN, or what the hub's tools have stored),\n"
        "or for the server of --model-url (default: none)",
    )
    group.value(
        "--offline",
        dest="offline",
        action="store_true",
        help="Take models from the cache only",
    )


def hub_models(given: Mapping[str, Any]) -> dict[str, Any]:
    """The models to download that the flags name, or else a configuration file: fields of
    ``ServerConfig``.

    :raises InvalidRequest: a name is wrong, or a flag lacks the one that it is about.
    """
    found: dict[str, Any] = {}
    for field, suffix, rival in (
        ("hub_model", "", "model"),
        ("hub_draft_model", "_draft", "draft_model"),
    ):
        repo, file = f"hf_repo{suffix}", f"hf_file{suffix}"
        if field in given:
            found[field] = dataclasses.replace(given[field], **_access(given))
        elif repo in given:
            if given.get(rival) is not None:
                raise InvalidRequest(f"{repo}: a file is given for the model too", param=repo)
            found[field] = _named(given, repo, given.get(file))
        elif file in given:
            raise InvalidRequest(f"{file}: needs the repository too", param=file)
    if "model_url" in given:
        if given.get("model") is not None or "hf_repo" in given:
            raise InvalidRequest("model_url: another model is given too", param="model_url")
        found["hub_model"] = UrlModel(url=given["model_url"], **_access(given))
    return found


def _named(given: Mapping[str, Any], repo: str, file: str | None) -> HubModel:
    try:
        return HubModel.named(given[repo], file=file, **_access(given))
    except InvalidRequest as error:
        raise error.about(repo) from None


def _access(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"token": given.get("hf_token"), "offline": given.get("offline", False)}
