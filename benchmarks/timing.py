"""Calls that take turns, and their times as a table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

Times = dict[str, Any]  # form -> median ms; "ratio" -> of the first form to each other; and what a caller adds


def in_turns(
    calls: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warm: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> Times:
    """Median milliseconds of each call, forth and back through all of them (A B C C B A), and ratios to the first.

    `rounds` is how often each is timed; `warm` how often each runs before. `clock`: wall time,
    or `time.process_time`, which on one thread hardly feels what else the machine does.
    """
    for _ in range(warm):
        for call in calls.values():
            call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    for _ in range(rounds):
        for name in order:
            _finish()
            start = clock()
            calls[name]()
            _finish()
            taken[name].append(1000 * (clock() - start))
        order.reverse()
    medians = {name: statistics.median(times) for name, times in taken.items()}
    first = medians[next(iter(calls))]
    ratio = {name: round(first / median, 2) for name, median in list(medians.items())[1:]}
    return {name: round(median, 3) for name, median in medians.items()} | {"ratio": ratio}


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def table(result: Mapping[str, Any]) -> str:
    """The whole result as Markdown: a row for each measurement, ratios first."""
    lines = [f"`{result['command']}`, {result['date']}, {result['machine']['cpu']}, {result['clock']}", ""]
    lines += ["| network | what | official | ours | folded | ours, times | folded, times |", "|" + "---|" * 7]
    for name, parts in result["networks"].items():
        for part, rows in parts.items():
            if part.startswith("GPU"):
                continue
            single = "official" in rows
            for what, times in {"": rows}.items() if single else rows.items():
                lines.append(_row(name, f"{part}: {what}".rstrip(": "), times))
    for name, parts in result["networks"].items():
        for job, rows in parts.get("GPU, ms", {}).items():
            lines += ["", f"{name}, GPU, {job}, ms", ""]
            columns = list(next(iter(rows.values()))["peak MB"])
            lines += ["| | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
            for what, times in rows.items():
                cells = [f"{times[column]}" + _times(times, column) for column in columns]
                lines.append(f"| {what} | " + " | ".join(cells) + " |")
                memory = [f"{times['peak MB'][column]} MB" for column in columns]
                lines.append(f"| {what}, peak memory | " + " | ".join(memory) + " |")
    lines += ["", "| rewrite | before, ms | after, ms | times |", "|---|---|---|---|"]
    for what, times in result["rewrites, ms"].items():
        before, after = (name for name in times if name != "ratio")
        lines.append(
            f"| {what}: {after}, not {before} | {times[before]} | {times[after]} |{_times(times, after)} |"
        )
    return "\n".join(lines)


def _row(name: str, what: str, times: Times) -> str:
    ratio = times.get("ratio") or {
        form: round(times["official"] / times[form], 2) for form in ("ours", "folded") if form in times
    }
    cells = [str(times.get(form, "")) for form in ("official", "ours", "folded")]
    cells += [str(ratio.get(form, "")) for form in ("ours", "folded")]
    return f"| {name} | {what} | " + " | ".join(cells) + " |"


def _times(times: Times, column: str) -> str:
    return f" {times['ratio'][column]}x" if column in times["ratio"] else ""
