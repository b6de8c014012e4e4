"""The core: token ids, token bytes, rows, logits, cells and nanoseconds.

Nothing here knows of text beyond bytes, of JSON, asyncio or Python threads, and nothing here
imports `llamabox.api` or `llamabox.server`. Code between `submit` and `drain` runs without the
GIL: there, errors are return codes and nothing allocates a Python object.
"""
