"""Chat templates that the command line knows by name."""

from __future__ import annotations

__all__ = ["NAMED_TEMPLATES"]

_CHATML = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\\n' }}
{%- endif -%}
"""

NAMED_TEMPLATES = {"chatml": _CHATML}
