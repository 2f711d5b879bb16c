"""Cores of the affinity and of a container's quota."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mien.cores import cpu_quota, usable_cores
from mien.media.work import worker_count
from mien.nn import onnx_session


def machine(root: Path, cgroup: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": cgroup, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("cgroup", "files", "quota"),
    [
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        (
            "0::/a/b\n",
            {"sys/fs/cgroup/a/cpu.max": "50000 100000", "sys/fs/cgroup/a/b/cpu.max": "200000 100000"},
            0.5,
        ),
        ("0::/../other\n", {"sys/fs/cgroup/cpu.max": "400000 100000"}, 4.0),
        (
            "4:cpu,cpuacct:/docker/1\n3:memory:/\n",
            {
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            3.0,
        ),
        (
            "4:cpu:/\n",
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
            None,
        ),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "damaged"}, None),
        ("no control group", {}, None),
    ],
)
def test_quotas_of_control_groups(tmp_path: Path, cgroup: str, files: dict[str, str], quota: float | None) -> None:
    assert cpu_quota(machine(tmp_path, cgroup, files)) == quota


def test_a_quota_limits_the_cores_and_none_leaves_them(tmp_path: Path) -> None:
    everything = usable_cores(tmp_path)  # there is no /proc
    root = machine(tmp_path, "0::/\n", {"sys/fs/cgroup/cpu.max": "10000 100000"})
    assert usable_cores(root) == 1
    (root / "sys/fs/cgroup/cpu.max").write_text("100000000 100000")
    assert usable_cores(root) == everything


def test_workers_and_threads_keep_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.media.work.usable_cores", lambda: 3)
    assert worker_count(0) == 3
    assert worker_count(5) == 5
    monkeypatch.setattr(onnx_session, "usable_cores", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert onnx_session.thread_count(0) == 1
    assert onnx_session.thread_count(2) == 2
    monkeypatch.setattr(onnx_session, "usable_cores", lambda: 8)
    assert onnx_session.thread_count(0) == 0  # ONNX Runtime knows which cores are whole ones
