"""Ten thousand requests that mean harm: each is refused in words, and memory stays where it was.

python benchmarks/service_hostile.py --requests 10000
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

import hostile
from output import write_result
from service import photo, quantiles
from service_process import ServiceProcess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rng, small = random.Random(0), photo(48)
    requests = hostile.everything(small)
    statuses: Counter[int] = Counter()
    problems: Counter[str] = Counter()
    memory: list[float] = []
    times: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ServiceProcess(Path(folder) / "data", "--workers", "1") as service,
    ):
        with httpx.Client(base_url=service.url, timeout=120) as client:
            for number in range(options.requests):
                if number % (options.requests // 10) == 0:
                    memory.append(round(service.memory_mib(), 1))
                    print(f"{number} requests, {memory[-1]} MiB", file=sys.stderr, flush=True)
                request = rng.choice(requests)
                began = time.perf_counter()
                response = request.send(client)
                times.append(time.perf_counter() - began)
                statuses[response.status_code] += 1
                if (problem := hostile.problem_of(request, response)) is not None:
                    problems[problem] += 1
            for name, data in hostile.raw(service.port):
                if data and not data.startswith(b"HTTP/1.1 4"):
                    problems[f"{name}: {data[:80]!r}"] += 1
            memory.append(round(service.memory_mib(), 1))
            alive = client.post("/v1/predict", content=small).status_code
        service.stop()
        log = service.log.read_text()
    result = {
        "requests": options.requests,
        "statuses": dict(sorted(statuses.items())),
        "problems": dict(problems),
        "tracebacks in the log": log.count("Traceback") + log.count('"exception"'),
        "resident MiB": memory,
        "response times": {name: round(value, 1) for name, value in quantiles(times).items()},
        "status of a good request afterwards": alive,
    }
    write_result(result, options.out)


if __name__ == "__main__":
    main()
