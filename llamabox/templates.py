"""Chat templates that can be asked for by name.

Leaf module: Jinja sources, nothing else.
"""

from __future__ import annotations

CHATML = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + (message.content or '') + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""
NAMED_TEMPLATES = {"chatml": CHATML}
"""Templates that can be asked for by name; models that bring none get ChatML."""
