"""The flags of how model files are loaded, and where their tensors go."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping

from ..params import SPLIT_MODES, KvValue
from .cli_parser import FlagGroup

__all__ = ["add_loading", "add_offloading", "layers", "named_devices"]

ALL_LAYERS = -1
NO_DEVICES = "none"
CPU_BUFFER = "CPU"
EXPERTS = r"\.ffn_(gate|up|down|gate_up)_(ch)?exps"
NUMA = ("distribute", "isolate", "numactl")
LOAD_MODES = {
    "auto": (None, False),
    "none": (False, False),
    "mmap": (True, False),
    "mlock": (False, True),
    "mmap+mlock": (True, True),
}
"""Whether the file is mapped, and whether its pages are kept."""

Override = tuple[tuple[str, str], ...]


def add_offloading(group: FlagGroup) -> None:
    """Flags of the group server."""
    group.value(
        "--rpc",
        dest="rpc_servers",
        type=_endpoints,
        metavar="HOST:PORT,...",
        help="RPC servers of llama.cpp, whose devices are used as those here (default: none)",
    )
    group.value(
        "-ts",
        "--tensor-split",
        dest="tensor_split",
        type=_shares,
        metavar="N,N,...",
        help="Shares of the devices in what is offloaded, e.g. 3,1 (default: by free memory)",
    )
    group.value(
        "-ngl",
        "--gpu-layers",
        "--n-gpu-layers",
        dest="n_gpu_layers",
        type=layers,
        metavar="N",
        help="Layers to store in VRAM; also auto or all (default: -1, all)",
    )
    group.value(
        "-ot",
        "--override-tensor",
        dest="tensor_overrides",
        type=_tensor_overrides,
        action="extend",
        metavar="PATTERN=BUFFER_TYPE,...",
        help="Put tensors whose names match a regular expression into buffers of a type,\n"
        r"e.g. '\.ffn_.*_exps\.=CPU'",
    )
    group.value(
        "-cmoe",
        "--cpu-moe",
        dest="tensor_overrides",
        action="append_const",
        const=(EXPERTS, CPU_BUFFER),
        help="Keep the weights of all experts on the CPU",
    )
    group.value(
        "-ncmoe",
        "--n-cpu-moe",
        dest="tensor_overrides",
        type=_first_layers,
        action="extend",
        metavar="N",
        help="Keep the weights of the experts of the first N layers on the CPU",
    )


def add_loading(group: FlagGroup) -> None:
    """Flags of the group server/completion."""
    group.value(
        "-dev",
        "--device",
        dest="devices",
        type=named_devices,
        metavar="NAME,NAME|none",
        help="Devices to offload to, of --list-devices (default: all)",
    )
    group.value(
        "-sm",
        "--split-mode",
        dest="split_mode",
        choices=SPLIT_MODES,
        metavar="|".join(SPLIT_MODES),
        help="How several devices share a model: by layers, within them (row), or not at all\n"
        "(default: layer)",
    )
    group.value(
        "-mg",
        "--main-gpu",
        dest="main_gpu",
        type=int,
        metavar="N",
        help="Device that does what is not split (default: 0)",
    )
    group.value(
        "--override-kv",
        dest="kv_overrides",
        type=_kv_overrides,
        action="extend",
        metavar="KEY=TYPE:VALUE,...",
        help="Replace metadata of the model; types: int, float, bool, str; repeat it for more,\n"
        "e.g. tokenizer.ggml.add_bos_token=bool:false",
    )
    group.switch("--mlock", dest="use_mlock", text="Keep the model's pages in RAM")
    group.switch("--no-mmap", dest="use_mmap", to=False, text="Read the file, do not map it")
    group.switch("--mmap", dest="use_mmap", text="Map the file (default: where devices can)")
    group.value(
        "-lm",
        "--load-mode",
        dest="load_mode",
        type=_load_mode,
        metavar="|".join(LOAD_MODES),
        help="The same by name; wins over --mmap and --mlock",
    )
    group.value(
        "--numa",
        dest="numa",
        choices=NUMA,
        metavar="|".join(NUMA),
        help="Place threads by NUMA nodes: over all, on one, or as numactl has it",
    )
    group.switch(
        "--check-tensors", dest="check_tensors", text="Look for invalid numbers in the weights"
    )
    group.switch("--repack", dest="repack", text="Rearrange weights for the CPU (default)")
    group.switch("-nr", "--no-repack", dest="repack", to=False, text="Do not rearrange weights")


def layers(text: str) -> int:
    """A number of layers; a word or any number below 0 for all of them."""
    if text in ("auto", "all"):
        return ALL_LAYERS
    try:
        return max(int(text), ALL_LAYERS)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number, auto nor all") from None


def named_devices(text: str) -> tuple[str, ...]:
    """Names of devices; none for "none"."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} has an empty name")
    return () if names == (NO_DEVICES,) else names


def _endpoints(text: str) -> tuple[str, ...]:
    servers = tuple(server.strip() for server in text.split(","))
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit():
            raise argparse.ArgumentTypeError(f"{server!r} is not host:port")
    return servers


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(share) for share in re.split("[,/]", text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers") from None


def _tensor_overrides(text: str) -> list[tuple[str, str]]:
    found = []
    for pair in text.split(","):
        # A pattern may have a "=", the name of a buffer type has none.
        pattern, equals, name = pair.rpartition("=")
        if not equals or not pattern or not name:
            raise argparse.ArgumentTypeError(f"{pair!r} is not PATTERN=BUFFER_TYPE")
        try:
            re.compile(pattern)
        except re.error as error:
            raise argparse.ArgumentTypeError(f"{pattern!r}: {error}") from None
        found.append((pattern, name))
    return found


def _first_layers(text: str) -> list[tuple[str, str]]:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of layers")
    return [(rf"blk\.{i}{EXPERTS}", CPU_BUFFER) for i in range(int(text))]


def _kv_overrides(text: str) -> list[tuple[str, KvValue]]:
    # A value may have commas: only what looks like another override begins one.
    return [_kv_override(each) for each in re.split(r",(?=[^,=]+=(?:int|float|bool|str):)", text)]


def _kv_override(text: str) -> tuple[str, KvValue]:
    key, equals, typed = text.partition("=")
    kind, colon, value = typed.partition(":")
    if not (key and equals and colon):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=TYPE:VALUE")
    try:
        return key, _KINDS[kind](value)
    except KeyError:
        known = ", ".join(_KINDS)
        raise argparse.ArgumentTypeError(f"{kind!r} is none of the types {known}") from None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not of the type {kind}") from None


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


_KINDS: Mapping[str, Callable[[str], KvValue]] = {
    "int": int,
    "float": float,
    "bool": _boolean,
    "str": str,
}


def _load_mode(text: str) -> tuple[bool | None, bool]:
    if text not in LOAD_MODES:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(LOAD_MODES)}")
    return LOAD_MODES[text]
