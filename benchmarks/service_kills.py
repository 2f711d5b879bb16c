"""`kill -9` in the middle of jobs, again and again: no job is lost, none is done twice.

    python benchmarks/service_kills.py --rounds 20
    python benchmarks/service_kills.py --rounds 20 --database postgresql://user@host/name

Jobs are submitted, the service is killed at a random moment, started again, and so on; at the end it runs until
all jobs are done. Every job must have one row for each upload, in order and equal to an uninterrupted run, its end
must be in the logs at most once, and its folder must hold nothing but the result.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
from PIL import Image

from output import write_result
from service_process import ServiceProcess

PHOTO = Path(__file__).parents[1] / "examples/astronaut.jpg"


def photos(count: int) -> list[bytes]:
    """Small images that differ."""
    made = []
    with Image.open(PHOTO) as image:
        for i in range(count):
            buffer = io.BytesIO()
            image.convert("RGB").resize((160 + i, 160 + i)).save(buffer, "JPEG", quality=90)
            made.append(buffer.getvalue())
    return made


def submit(url: str, files: list[bytes], key: str) -> str | None:
    """The id of the job; None where the service ended first."""
    uploads = [("files", (f"{key}-{i}.jpg", data)) for i, data in enumerate(files)]
    try:
        response = httpx.post(f"{url}/v1/jobs", files=uploads, headers={"Idempotency-Key": key}, timeout=60)
    except httpx.TransportError:
        return None
    return str(response.json()["id"])


def run(rounds: int, files: int, folder: Path, *options: str, seed: int = 0) -> dict[str, Any]:
    """Kill the service `rounds` times and count what is wrong."""
    rng, images = random.Random(seed), photos(files)
    service, waiting, ids = ServiceProcess(folder / "data", *options), [], {}
    for number in range(rounds):
        service.start()
        waiting.append(f"round{number}")
        for key in list(waiting):
            identity = submit(service.url, images, key)
            if identity is not None:
                ids[key] = identity
                waiting.remove(key)
        time.sleep(rng.uniform(0.1, 3.0))
        service.kill()
    with service:
        for key in waiting:
            ids[key] = submit(service.url, images, key) or ""
        seen = httpx.get(f"{service.url}/v1/jobs", timeout=60).json()["jobs"]
        tables = {key: _table(service.url, identity) for key, identity in ids.items()}
    left = [path for path in (folder / "data/jobs").rglob("*") if path.is_file() and path.name != "result.parquet"]
    first = tables["round0"]
    ends = Counter(line["job"] for line in _log(service.log) if line.get("state") == "done")
    same = [name for name in first.column_names if name != "source"]
    return {
        "kills": rounds,
        "jobs": len(tables),
        "jobs seen": len(seen),
        "lost": sum(table.num_rows != files for table in tables.values()),
        "rows in another order, or twice": sum(
            table["source"].to_pylist() != [f"{key}-{i}.jpg" for i in range(files)] for key, table in tables.items()
        ),
        "other predictions": sum(not table.select(same).equals(first.select(same)) for table in tables.values()),
        "ended twice": sum(count > 1 for count in ends.values()),
        "files left": len(left),
    }


def _table(url: str, identity: str) -> Any:
    until = time.monotonic() + 300
    while (status := httpx.get(f"{url}/v1/jobs/{identity}", timeout=60).json())["state"] != "done":
        if status["state"] not in ("queued", "running") or time.monotonic() > until:
            raise SystemExit(f"a job was lost: {status}")
        time.sleep(0.1)
    return pq.read_table(
        io.BytesIO(httpx.get(f"{url}/v1/jobs/{identity}/result?format=parquet", timeout=60).content)
    )


def _log(path: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in path.read_text().splitlines() if line.startswith("{") and line.endswith("}")
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--files", type=int, default=12, help="images of a job")
    parser.add_argument("--database", help="URL; SQLite by default")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    database = ("--database", options.database) if options.database else ()
    with tempfile.TemporaryDirectory() as folder:
        result = run(options.rounds, options.files, Path(folder), *database)
    write_result({"command": f"python benchmarks/service_kills.py --rounds {options.rounds}"} | result, options.out)


if __name__ == "__main__":
    main()
