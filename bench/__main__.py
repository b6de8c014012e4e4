"""Run the scenarios: `python -m bench [--only NAME] [--runs N] [--quick] [--model FILE]`."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from . import busy_loop, core, draft_model, drafting, long_contexts, offline
from .busyness import OtherWork
from .core import constraint
from .machine import ROOT, describe_machine
from .peers import llama_server
from .report import Result, render_page, render_result, render_summary, replace_summary
from .scenarios import (
    adapters,
    chat_overhead,
    mixed_load,
    peer,
    pool_pressure,
    prefix_tier,
    rate_limit,
    server,
    shared_prefix,
    streaming,
    tool_streams,
)
from .settings import Settings

SCENARIOS: dict[str, Callable[[Settings], Result]] = {
    "core": core.run,
    "constraints": constraint.run,
    "offline": offline.run,
    "long_contexts": long_contexts.run,
    "drafting": drafting.run,
    "draft_model": draft_model.run,
    "busy_loop": busy_loop.run,
    "server": server.run,
    "chat_overhead": chat_overhead.run,
    "streaming": streaming.run,
    "shared_prefix": shared_prefix.run,
    "prefix_tier": prefix_tier.run,
    "mixed_load": mixed_load.run,
    "pool_pressure": pool_pressure.run,
    "rate_limit": rate_limit.run,
    "tool_streams": tool_streams.run,
    "adapters": adapters.run,
    "peer": peer.run,
}


QUIET = 0.05
"""Share of the cores that other programs may take in a run whose figures are kept."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; only a run of all scenarios at full size writes files.

    :returns: the exit status: 1 if a scenario failed, or the machine was not quiet enough to keep
        the figures.
    """
    args = _parse(argv)
    logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)
    settings = Settings(runs=args.runs, quick=args.quick, models=tuple(args.model))
    others = OtherWork()
    names = [args.only] if args.only else list(SCENARIOS)
    results = [result for name in names if (result := _run_scenario(name, settings))]
    share = others.share()
    print(f"other work took {share:.0%} of the cores", file=sys.stderr)
    if len(results) < len(names):
        print("nothing is written: a scenario failed", file=sys.stderr)
        return 1
    if args.only or args.quick:
        return 0
    if share > QUIET and not args.noisy:
        print("nothing is written: the machine was not quiet (--noisy)", file=sys.stderr)
        return 1
    _write(results, share)
    return 0


def _run_scenario(name: str, settings: Settings) -> Result | None:
    """Run and print one scenario; None if it failed, which the others need not suffer for."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    started = time.monotonic()
    try:
        result = SCENARIOS[name](settings)
    except Exception:
        traceback.print_exc()
        return None
    result = dataclasses.replace(result, seconds=time.monotonic() - started)
    print(f"{render_result(result)}\n", flush=True)
    return result


def _write(results: list[Result], share: float) -> None:
    machine = [
        *describe_machine(),
        (llama_server.NAME, llama_server.version()),
        ("other work", f"{share:.0%} of the cores"),
    ]
    page = ROOT / "bench" / "RESULTS.md"
    for plot in (plot for result in results for plot in result.plots):
        plot.draw(page.with_name(plot.name))
    page.write_text(render_page(machine, results), encoding="utf-8")
    print(f"wrote {page.relative_to(ROOT)}", file=sys.stderr)
    if not replace_summary(ROOT / "README.md", render_summary(machine, results)):
        print("README.md has no place for the summary", file=sys.stderr)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("--only", choices=SCENARIOS, help="run one scenario and print it")
    parser.add_argument("--runs", type=int, default=5, help="measurements of each side (default 5)")
    parser.add_argument("--quick", action="store_true", help="tiny counts: does everything work?")
    parser.add_argument(
        "--noisy", action="store_true", help="keep the figures of a machine that is not quiet"
    )
    parser.add_argument(
        "--model",
        type=Path,
        action="append",
        default=[],
        help="GGUF file for all scenarios that measure models, repeatable (default: their own)",
    )
    args = parser.parse_args(argv)
    if args.runs < 1:
        parser.error("--runs must be at least 1")
    return args


if __name__ == "__main__":
    sys.exit(main())
