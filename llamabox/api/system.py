"""The machine: cores, devices, and what llama.cpp was built with."""

from __future__ import annotations

import ctypes
import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import llama_cpp

from ..errors import InvalidRequest

CPU_TYPE = 0
"""``GGML_BACKEND_DEVICE_TYPE_CPU``."""
GPU_TYPES = (1, 2)
"""``GGML_BACKEND_DEVICE_TYPE_GPU`` and ``_IGPU``."""
SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


@dataclasses.dataclass(frozen=True, slots=True)
class Device:
    """A compute device of the installed llama.cpp build; memory in bytes."""

    name: str
    description: str
    memory_free: int
    memory_total: int


def physical_cores() -> int:
    """Cores that this process may use, hyper-threads of one core counted once."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cpus = os.sched_getaffinity(0)
    try:
        return len({Path(SIBLINGS.format(cpu)).read_text() for cpu in cpus})
    except OSError:
        return len(cpus)


def default_threads() -> int:
    """Compute threads that leave a core to the event loop: the physical cores less one.

    llama.cpp's threads wait for one another by spinning, and lose more than a core's worth when
    something else takes one of theirs.
    """
    return max(1, physical_cores() - 1)


def default_sampling_threads() -> int:
    """Threads that sample while the compute threads have nothing to do: the physical cores.

    They sleep in between; those beyond eight would find few rows.
    """
    return min(8, physical_cores())


def memory_at_hand() -> int:
    """Bytes that a context's cells may be put into: of the GPUs if there are any, else of RAM."""
    devices = [device for device in list_devices() if device.name != "CPU"]
    on_gpus = sum(device.memory_free for device in devices)
    return on_gpus or _available_ram()


def _available_ram() -> int:
    """Bytes of RAM that the system and this process's control group can spare."""
    found = []
    try:
        fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(fields["MemAvailable"].split()[0]) << 10)
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            used = Path("/sys/fs/cgroup/memory.current").read_text()
            found.append(max(0, int(limit) - int(used)))
    except (OSError, KeyError, ValueError):
        pass
    if not found and hasattr(os, "sysconf"):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
    return min(found, default=0)


def system_info() -> str:
    """CPU features and build options of the installed llama.cpp, on one line."""
    text: bytes = llama_cpp.llama_print_system_info()
    return text.decode().strip(" |")


def list_devices() -> list[Device]:
    """The devices that ggml knows, CPU included, in its order (`ggml_backend_dev_*`)."""
    ggml = ggml_library()
    llama_cpp.llama_backend_init()
    return [
        _device(ggml, ggml.ggml_backend_dev_get(i)) for i in range(ggml.ggml_backend_dev_count())
    ]


def has_gpu() -> bool:
    """Whether the installed llama.cpp build finds a GPU."""
    ggml = ggml_library()
    devices = map(ggml.ggml_backend_dev_get, range(ggml.ggml_backend_dev_count()))
    return any(ggml.ggml_backend_dev_type(device) in GPU_TYPES for device in devices)


def device_addresses(names: Iterable[str]) -> list[int]:
    """The devices of these names, as `llama_model_params.devices` has them.

    :raises InvalidRequest: one is none that layers can be offloaded to.
    """
    ggml = ggml_library()
    devices = [ggml.ggml_backend_dev_get(i) for i in range(ggml.ggml_backend_dev_count())]
    known = {
        ggml.ggml_backend_dev_name(device).decode(): device
        for device in devices
        if ggml.ggml_backend_dev_type(device) != CPU_TYPE
    }
    for name in names:
        if name not in known:
            offered = f"those are {', '.join(known)}" if known else "there is none"
            message = f"devices: {name!r} is no device to offload to; {offered}"
            raise InvalidRequest(message, param="devices")
    return [known[name] for name in names]


def buffer_types() -> dict[str, int]:
    """The buffer types that tensors can be put into, CPU's included: their addresses by name."""
    ggml = ggml_library()
    llama_cpp.llama_backend_init()
    found = {}
    for i in range(ggml.ggml_backend_dev_count()):
        address = ggml.ggml_backend_dev_buffer_type(ggml.ggml_backend_dev_get(i))
        if address:
            found[ggml.ggml_backend_buft_name(address).decode()] = address
    return found


def _device(ggml: Any, device: int) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    ggml.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
    return Device(
        name=ggml.ggml_backend_dev_name(device).decode(),
        description=ggml.ggml_backend_dev_description(device).decode(),
        memory_free=free.value,
        memory_total=total.value,
    )


def ggml_library() -> Any:
    """ggml's functions as libllama's own dependency, so that no second copy is loaded."""
    library = ctypes.CDLL(llama_cpp.llama_cpp._lib._name)
    library.ggml_backend_dev_count.restype = ctypes.c_size_t
    library.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    library.ggml_backend_dev_get.restype = ctypes.c_void_p
    library.ggml_backend_dev_buffer_type.argtypes = [ctypes.c_void_p]
    library.ggml_backend_dev_buffer_type.restype = ctypes.c_void_p
    for function in (
        library.ggml_backend_buft_name,
        library.ggml_backend_dev_name,
        library.ggml_backend_dev_description,
    ):
        function.argtypes = [ctypes.c_void_p]
        function.restype = ctypes.c_char_p
    library.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    size = ctypes.POINTER(ctypes.c_size_t)
    library.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, size, size]
    library.ggml_backend_dev_memory.restype = None
    return library
