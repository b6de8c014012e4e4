"""Values from the command line, the environment and a file, one over the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["over"]

RIVALS = (
    (("model", "hub_model", "hf_repo", "model_url"), ("hf_file",)),
    (("draft_model", "hub_draft_model", "hf_repo_draft"), ("hf_file_draft",)),
    (("template_file", "template_source"), ()),
    (("use_mmap", "load_mode"), ()),
    (("use_mlock", "load_mode"), ()),
    (("grammar", "grammar_file", "json_schema", "json_schema_file"), ()),
)
"""Ways to say one thing, of which any puts those of a lower layer aside, with what belongs
to them."""


def over(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `lower`, but for those that `upper` has or has others for."""
    values = dict(lower)
    for rivals, belongings in RIVALS:
        if any(name in upper for name in rivals):
            for name in (*rivals, *belongings):
                values.pop(name, None)
    return {**values, **upper}
