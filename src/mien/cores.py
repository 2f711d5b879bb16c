"""How many cores this process may use: those of the machine, of its affinity, or of its container's quota."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """At least 1. A quota of 1.5 cores counts as 2. `root`: where /proc and /sys are."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(root)
    return cores if quota is None else max(1, min(cores, math.ceil(quota - 0.01)))


def cpu_quota(root: Path = Path("/")) -> float | None:
    """The smallest quota in cores of this process's control groups (Linux, both versions); None: none."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, UnicodeError):
        return None
    quotas = []
    for line in lines:
        _, controllers, path = line.split(":", 2) if line.count(":") >= 2 else ("", "-", "")
        if controllers == "":
            quotas += _quotas(root / "sys/fs/cgroup", path, _of_version_2)
        elif "cpu" in controllers.split(","):
            quotas += _quotas(root / "sys/fs/cgroup" / controllers, path, _of_version_1)
            quotas += _quotas(root / "sys/fs/cgroup/cpu", path, _of_version_1)
    return min(quotas, default=None)


def _quotas(mount: Path, path: str, read: Callable[[Path], float | None]) -> list[float]:
    """Of a group and all above it; in a container only the mount itself may be there."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    groups = [mount.joinpath(*parts[:count]) for count in range(len(parts) + 1)]
    return [quota for group in groups if (quota := read(group)) is not None]


def _of_version_2(group: Path) -> float | None:
    words = _words(group / "cpu.max")
    return _ratio(*words) if len(words) == 2 else None


def _of_version_1(group: Path) -> float | None:
    quota, period = _words(group / "cpu.cfs_quota_us"), _words(group / "cpu.cfs_period_us")
    return _ratio(quota[0], period[0]) if quota and period else None


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except (OSError, UnicodeError):
        return []


def _ratio(quota: str, period: str) -> float | None:
    """Both in microseconds; "max" and -1 stand for no limit."""
    try:
        ratio = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return ratio if ratio > 0 else None
