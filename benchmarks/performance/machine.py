"""The machine of a run: processor, cores, memory and system, without anything that identifies it."""

import os
import platform
from pathlib import Path
from typing import Final

from benchmarks.performance.process import Cores

__all__ = ("describe_cores", "describe_machine")

_GIB: Final = 1024**3


def describe_machine() -> str:
    """Return a line such as "AMD EPYC, 2 cores, 24 GiB, Linux 6.1.0, CPython 3.11.7"."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{_find_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}, {python}"


def describe_cores(cores: Cores) -> str:
    """Return a sentence about the processes on each core."""
    if cores.are_shared:
        return (
            "There was only one core, so the server, the load generator and the services shared it: "
            "latencies are not representative, and CPU times are higher than on two cores."
        )
    return (
        "The server under test had a core of its own; the load generator and the services shared another one."
    )


def _find_processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
