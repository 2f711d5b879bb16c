"""An official checkpoint into a safetensors file and its manifest."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from mien.errors import OptionError, OutputError, WeightsError
from mien.labels import label_set
from mien.weights.convert import Converted, convert_file
from mien.weights.convert.layout import State
from mien.weights.convert.official import Facts, facts
from mien.weights.fill import empty_network, fill
from mien.weights.golden import Golden
from mien.weights.manifest import WeightsManifest, sha256, write_manifest
from mien.weights.verify import torch_answer


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a conversion made. `title` says what the file was."""

    title: str
    manifest: WeightsManifest


def convert_to(
    source: Path,
    target: Path,
    *,
    labels: str | None = None,
    channels: str | None = None,
    keep_rates: Sequence[float] | None = None,
    force: bool = False,
) -> Written:
    """Convert the official checkpoint `source` to `target`, a .safetensors file, with its manifest beside it.

    `labels`: the label set of the data it was trained on, where the file cannot tell. `channels`: "rgb" or "bgr",
    where it is not what the authors' code feeds. `keep_rates`: of APViT's blocks, where they are not the published
    ones. `force`: replace what is there. Nothing is written unless everything fits: raises `OptionError` for what
    has to be said or does not fit, `WeightsError` for the file, `OutputError` where it cannot be written.
    """
    check_target(source, target, force=force)
    converted = convert_file(source)
    if keep_rates is not None:
        converted = _with_keep_rates(converted, tuple(keep_rates))
    known = facts(converted, labels=labels, channels=channels, source=str(source))
    if broken := [name for name, value in converted.state.items() if not _finite(value)]:
        raise WeightsError(f"{source} holds NaN or infinity in {len(broken)} tensors, {broken[0]} first")
    manifest = _manifest(converted, known, source, target)
    if manifest.network != "vit_small":
        network = empty_network(manifest)
        fill(network, converted.state, source=str(source))
        manifest = replace(manifest, golden=Golden.of(torch_answer(network.eval(), manifest.inputs)))
    save(converted.state, target)
    return Written(title=known.title, manifest=write_manifest(manifest))


def check_target(source: Path, target: Path, *, force: bool) -> None:
    """Raise what would otherwise be found only after the work."""
    if target.suffix != ".safetensors":
        raise OptionError(f"--to {target}: the name must end in .safetensors")
    if source.suffix == ".safetensors":
        raise OptionError(f"{source} is safetensors already; official checkpoints are .pth or .pth.tar files")
    if not target.parent.is_dir():
        raise OutputError(f"{target}: the folder {target.parent} does not exist; make it first")
    if not os.access(target.parent, os.W_OK):
        raise OutputError(f"{target}: the folder {target.parent} cannot be written to; choose another")
    there = [str(path) for path in (target, *map(target.with_suffix, (".json", ".onnx"))) if path.exists()]
    if there and not force:
        raise OutputError(f"{', '.join(there)}: there already; --force replaces, or choose another name")


def save(state: State, target: Path) -> None:
    """Write safetensors in one step: the file is whole or not there."""
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=".safetensors", dir=target.parent)
    os.close(handle)
    part = Path(name)
    try:
        save_file(
            {key: value.clone() for key, value in state.items()}, part
        )  # clones share no memory, as it must be
        part.chmod(0o666 & ~_umask())
        part.replace(target)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"{target} cannot be written: {error}; free some space, or choose another folder"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _manifest(converted: Converted, known: Facts, source: Path, target: Path) -> WeightsManifest:
    classes = len(label_set(known.labels)) if known.labels is not None else 0
    return WeightsManifest(
        name=target.stem,
        network=converted.network,
        config=asdict(converted.config) if converted.config is not None else {},
        inputs=known.inputs,
        files={target.name: ""},
        labels=known.labels,
        priors={"default": (0.0,) * classes} if classes else {},
        licence=known.licence,
        source=f"converted from {source.name}, SHA-256 {sha256(source)}",
        paper=known.paper,
        notes=known.notes,
        folder=target.parent,
        filename=target.with_suffix(".json").name,
    )


def _with_keep_rates(converted: Converted, rates: tuple[float, ...]) -> Converted:
    if converted.network != "apvit":
        raise OptionError(f"--keep-rates belong to APViT; this is {converted.network}")
    blocks = len(converted.config.keep_rates)
    if len(rates) != blocks or not all(0 < rate <= 1 for rate in rates):
        raise OptionError(f"--keep-rates must be {blocks} numbers above 0 and up to 1, one for each block")
    config = replace(converted.config, keep_rates=rates)
    return replace(converted, config=config)


def _finite(value: torch.Tensor) -> bool:
    return not value.is_floating_point() or bool(torch.isfinite(value).all())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
