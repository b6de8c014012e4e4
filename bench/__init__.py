"""Benchmarks: every figure is taken beside a peer, in turn, on one machine, in one run.

``python -m bench`` runs all scenarios and writes ``bench/RESULTS.md`` and the README's table;
``python -m bench --only NAME`` runs one and prints it. Nothing of ``llamabox`` imports this.
"""
