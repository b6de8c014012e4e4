"""The HTTP server: OpenAI's and llama-server's dialects over ``llamabox.api``.

What is spoken here is HTTP, JSON, server-sent events and command-line flags. Nothing in this
package knows of pointers, slots or batches, and nothing imports ``llamabox._core``.
"""
