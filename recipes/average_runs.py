"""The mean of the weights of several runs that began at the same place: one network, as fast as each of them.

    python recipes/average_runs.py --runs runs/a runs/b --shares 0.5 0.5 --out runs/mean
    python recipes/package_run.py --run runs/mean --ferplus ferplus.zip --name mine

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time" (2022). Means and variances of batch norms are averaged like weights. A run is a folder of
`mien train`, or the name of shipped weights.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from mien.errors import OptionError
from mien.weights.fill import empty_network, load_network
from mien.weights.golden import Golden
from mien.weights.record import WeightsRecord, load_record, write_record
from mien.weights.verify import torch_answer


def record_of(run: str) -> WeightsRecord:
    """Of a run's folder or of shipped weights."""
    return load_record(str(Path(run) / "weights") if (Path(run) / "weights").is_dir() else run)


def average(records: list[WeightsRecord], shares: list[float]) -> dict[str, torch.Tensor]:
    """The shares' mean of every tensor; counters are the first one's. Refuses networks that differ."""
    first = records[0]
    for other in records[1:]:
        if (other.network, other.config, other.inputs) != (first.network, first.config, first.inputs):
            raise OptionError(f"{other.path} is another network than {first.path}, or sees other pictures")
    states = [load_network(str(record.folder)).state_dict() for record in records]
    return {
        name: sum(share * state[name] for share, state in zip(shares, states, strict=True))
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", required=True)
    parser.add_argument("--shares", nargs="+", type=float, help="summing to 1; else equal")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    shares = options.shares or [1 / len(options.runs)] * len(options.runs)
    if len(shares) != len(options.runs) or abs(sum(shares) - 1) > 1e-6:
        parser.error(f"--shares are {len(options.runs)} numbers that sum to 1, not {shares}")

    records = [record_of(run) for run in options.runs]
    state = average(records, shares)
    network = empty_network(records[0])
    network.load_state_dict(state)
    folder = options.out / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "weights.safetensors")
    parts = ", ".join(f"{share:g} {Path(run).name}" for share, run in zip(shares, options.runs, strict=True))
    write_record(
        replace(
            records[0],
            name=options.out.name,
            files={"weights.safetensors": ""},
            source=f"mean of the weights of runs: {parts}",
            priors={"default": (0.0,) * len(records[0].label_set)},
            temperature=1.0,
            abstain={},
            measured={},
            golden=Golden.of(torch_answer(network.eval(), records[0].inputs)),
            folder=folder,
        )
    )


if __name__ == "__main__":
    main()
