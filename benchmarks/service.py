"""What the service costs beside the recognizer itself: throughput, response times, memory.

    python benchmarks/service.py
    python benchmarks/service.py --quick
    python benchmarks/service.py --memory 20000

One run, the same small image everywhere, as many threads that predict here as workers there. Clients and service
share the machine, so only ratios within one run are worth comparing. `cpu ratio`: processor seconds of a request to
the recognizer called directly, over those of the service's process; clients and neighbours hardly disturb it.
"""

from __future__ import annotations

import argparse
import http.client
import io
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image

import mien
from output import write_result
from service_process import ServiceProcess

PHOTO = Path(__file__).parents[1] / "examples/astronaut.jpg"
SIDE_PX = 160
HEADERS = {"Content-Type": "image/jpeg"}


def photo(side: int = SIDE_PX) -> bytes:
    """The image of all requests: one face."""
    buffer = io.BytesIO()
    with Image.open(PHOTO) as image:
        image.convert("RGB").resize((side, side)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def direct(data: bytes, requests: int, workers: int) -> dict[str, float]:
    """The recognizer in this process, in so many threads."""
    recognizer = mien.load(threads=1)
    recognizer.predict(data)
    wall, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(recognizer.predict, [data] * requests))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"a second": requests / wall, "cpu ms": 1000 * cpu / requests}


def load(
    port: int,
    data: bytes,
    requests: int,
    clients: int,
    path: str = "/v1/predict",
    statuses: Counter[int] | None = None,
) -> list[float]:
    """Seconds of each request by clients that send one after the other; a 429 is tried again, and counted in."""
    times: list[float] = []
    counts = Counter[int]() if statuses is None else statuses
    left = iter(range(requests))
    lock = threading.Lock()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        while True:
            with lock:
                if next(left, None) is None:
                    break
            began = time.perf_counter()
            status = 0
            while status != 200:
                connection.request("POST", path, data, HEADERS)
                response = connection.getresponse()
                response.read()
                status = response.status
                with lock:
                    counts[status] += 1
                if status == 429:
                    time.sleep(0.05)
                elif status != 200:
                    raise SystemExit(f"status {status}")
            times.append(time.perf_counter() - began)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def measured(service: ServiceProcess, data: bytes, requests: int, clients: int) -> dict[str, float]:
    """Throughput, response times and processor time for so many clients."""
    load(service.port, data, 2 * clients, clients)
    wall, cpu = time.perf_counter(), service.cpu_s()
    times = load(service.port, data, requests, clients)
    wall, cpu = time.perf_counter() - wall, service.cpu_s() - cpu
    return {"a second": requests / wall, "cpu ms": 1000 * cpu / requests, **quantiles(times)}


def quantiles(times: list[float]) -> dict[str, float]:
    """Response times: median, and what 95 and 99 of 100 stay below."""
    times = sorted(times)
    return {f"p{q} ms": 1000 * times[min(len(times) - 1, len(times) * q // 100)] for q in (50, 95, 99)}


def memory(service: ServiceProcess, requests: int) -> dict[str, Any]:
    """Resident memory, statuses and response times in each tenth of so many requests of a tiny image, 4 clients."""
    data = photo(48)
    path = "/v1/predict?detect=false"
    load(service.port, data, 200, 4, path)
    moments = [round(service.memory_mib(), 1)]
    statuses = Counter[int]()
    times: list[dict[str, float]] = []
    for _ in range(10):
        times.append(quantiles(load(service.port, data, requests // 10, 4, path, statuses)))
        moments.append(round(service.memory_mib(), 1))
        print(f"{moments[-1]} MiB, {times[-1]}", file=sys.stderr, flush=True)
    return {
        "requests": requests,
        "statuses": dict(statuses),
        "resident MiB": moments,
        "response times": [_rounded(one) for one in times],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=400, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="fifty requests of each")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--memory", type=int, default=0, help="measure memory over so many requests instead")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    requests = 50 if options.quick else options.requests
    data = photo()
    result: dict[str, Any] = {"cores": os.cpu_count(), "workers": options.workers, "image px": SIDE_PX}
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcess(Path(folder) / "data", "--workers", str(options.workers), "--log-level", "warning")
        with service:
            if options.memory:
                result = {"memory": memory(service, options.memory)}
            else:
                alone = direct(data, requests, options.workers)
                result |= {"direct": alone}
                for clients in (1, 8, 64):
                    one = measured(service, data, requests, clients)
                    ratios = {
                        "ratio": one["a second"] / alone["a second"],
                        "cpu ratio": alone["cpu ms"] / one["cpu ms"],
                    }
                    result[f"{clients} clients"] = one | ratios
                result["direct again"] = direct(data, requests, options.workers)
    write_result(_rounded(result), options.out)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return round(value, 2) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
