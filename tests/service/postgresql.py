"""A PostgreSQL server in a temporary folder, reached by a socket file; it runs as a user that is not root."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import eventually

_PATHS = ("/usr/local/bin", "/usr/lib/postgresql/*/bin", "/opt/homebrew/bin")


def _programs() -> Path | None:
    """The folder of `initdb` and `postgres`."""
    if (path := shutil.which("initdb")) and shutil.which("postgres"):
        return Path(path).parent
    found = [folder for pattern in _PATHS for folder in sorted(Path("/").glob(pattern.lstrip("/")))]
    return next((folder for folder in found if (folder / "initdb").exists()), None)


@dataclass
class Cluster:
    """One server."""

    folder: Path
    process: subprocess.Popen[bytes]
    count: int = 0

    @classmethod
    def start(cls) -> Cluster:
        """Skips the test with the reason where there is no PostgreSQL, or no user to run it as."""
        pytest.importorskip("psycopg")
        programs = _programs()
        if programs is None:
            pytest.skip("no PostgreSQL here: apt install postgresql")
        folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        user: dict[str, Any] = {}
        if os.getuid() == 0:  # PostgreSQL refuses root
            shutil.chown(folder, "nobody")
            user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        make = [programs / "initdb", "-D", folder / "data", "-U", "mien", "--auth=trust", "--no-sync"]
        made = subprocess.run(make, capture_output=True, text=True, cwd=folder, **user)
        if made.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            pytest.skip(f"initdb fails here: {made.stderr.strip()[-200:]}")
        run = [
            programs / "postgres",
            "-D",
            folder / "data",
            "-k",
            folder,
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
        ]
        process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **user)
        cluster = cls(folder, process)
        cluster._wait()
        return cluster

    def new_database(self) -> str:
        """The URL of an empty database."""
        import psycopg

        self.count += 1
        name = f"mien{self.count}"
        with psycopg.connect(host=str(self.folder), user="mien", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://mien@/{name}?host={self.folder}"

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)  # fast: connections that are open are closed
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self) -> None:
        import psycopg

        def responds() -> bool:
            try:
                psycopg.connect(host=str(self.folder), user="mien", dbname="postgres").close()
            except psycopg.OperationalError:
                assert self.process.poll() is None, "PostgreSQL ended at its start"
                return False
            return True

        eventually(responds)
