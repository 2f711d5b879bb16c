"""An official checkpoint into a safetensors file and its manifest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mien.arguments import checked
from mien.errors import MissingPackageError, OptionError, OutputError
from mien.faces.framing import Framing
from mien.labels import label_set
from mien.media.atomic import atomic_write
from mien.media.file_state import sha256
from mien.media.work import Progress
from mien.weights.fill import check_finite, empty_network, fill
from mien.weights.golden import Golden
from mien.weights.manifest import WeightsManifest, stated_labels, write_manifest
from mien.weights.onnx_export import check_exporter, export_weights
from mien.weights.verify import torch_output

if TYPE_CHECKING:
    from mien.weights.official import Converted
    from mien.weights.official.facts import Facts


@checked
def convert(
    file: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    labels: str | None = None,
    channels: str | None = None,
    keep_rates: Sequence[float] | None = None,
    framing: Framing | None = None,
    onnx: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> WeightsManifest:
    """Convert an official checkpoint to a .safetensors file with its manifest beside it; returns the manifest.

    `labels`: the label set of the data it was trained on, or its classes with commas between, where the file cannot
    tell. `channels`: "rgb" or "bgr", where it is not the order of the authors' code. `keep_rates`: of APViT's
    blocks, where they differ from the authors'. `framing`: how the images it was trained on frame their faces,
    measured on your copy of the set (`mien.prepared.image_framing.stated_framing`); photos are then framed so.
    `onnx`: export to ONNX too, with the `progress` of `export`.

    Nothing is written unless everything fits: raises `OptionError` for what has to be said or does not fit,
    `WeightsError` for the file, `OutputError` where it cannot be written.
    """
    try:
        from safetensors.torch import save

        from mien.weights.official import convert_file
        from mien.weights.official.facts import facts, framed
    except ModuleNotFoundError as error:
        raise MissingPackageError("Converting a checkpoint", error.name or "torch", "train") from error
    file, to = Path(file), Path(to)
    _check_target(file, to, overwrite=overwrite)
    if channels not in {None, "rgb", "bgr"}:
        raise OptionError(f"channels are {channels!r}; they can be 'rgb' or 'bgr'")
    if onnx:
        check_exporter()
    converted = convert_file(file)
    if keep_rates is not None:
        converted = _with_keep_rates(converted, tuple(keep_rates))
    known = facts(converted, labels=labels, channels=channels, source=str(file))
    if framing is not None:
        known = framed(known, framing)
    check_finite(converted.state, source=str(file))
    manifest = _manifest(converted, known, file, to)
    if manifest.network != "vit_small":
        network = empty_network(manifest)
        fill(network, converted.state, source=str(file))
        manifest = replace(manifest, golden=Golden.of(torch_output(network.eval(), manifest.inputs)))
    to.with_suffix(".onnx").unlink(missing_ok=True)
    try:
        atomic_write(to, save({key: value.clone() for key, value in converted.state.items()}))  # no shared memory
    except OSError as error:
        raise OutputError(f"{to} cannot be written: {error}; free some space, or choose another folder") from error
    manifest = write_manifest(manifest)
    return export_weights(to, progress=progress) if onnx else manifest


def _check_target(file: Path, to: Path, *, overwrite: bool) -> None:
    """Raise what would otherwise only show after the work."""
    if to.suffix != ".safetensors":
        raise OptionError(f"{to}: the name must end in .safetensors")
    if file.suffix == ".safetensors":
        raise OptionError(f"{file} is safetensors already; official checkpoints are .pth or .pth.tar files")
    if not to.parent.is_dir():
        raise OutputError(f"{to}: the folder {to.parent} does not exist; make it first")
    if not os.access(to.parent, os.W_OK):
        raise OutputError(f"{to}: the folder {to.parent} cannot be written to; choose another")
    there = [str(path) for path in (to, *map(to.with_suffix, (".json", ".onnx"))) if path.exists()]
    if there and not overwrite:
        raise OutputError(f"{', '.join(there)}: there already; overwrite (--overwrite), or choose another name")


def _manifest(converted: Converted, known: Facts, file: Path, to: Path) -> WeightsManifest:
    classes = len(label_set(known.labels)) if known.labels is not None else 0
    return WeightsManifest(
        name=to.stem,
        network=converted.network,
        config=asdict(converted.config) if converted.config is not None else {},
        inputs=known.inputs,
        files={to.name: ""},
        labels=None if known.labels is None else stated_labels(label_set(known.labels)),
        priors={"default": (0.0,) * classes} if classes else {},
        licence=known.licence,
        source=f"{known.title}, converted from {file.name}, SHA-256 {sha256(file)}",
        paper=known.paper,
        notes=known.notes,
        folder=to.parent,
        filename=to.with_suffix(".json").name,
    )


def _with_keep_rates(converted: Converted, rates: tuple[float, ...]) -> Converted:
    if converted.network != "apvit":
        raise OptionError(f"keep_rates belong to APViT; this is {converted.network}")
    blocks = len(converted.config.keep_rates)
    if len(rates) != blocks or not all(0 < rate <= 1 for rate in rates):
        raise OptionError(f"keep_rates must be {blocks} numbers above 0 and up to 1, one for each block")
    config = replace(converted.config, keep_rates=rates)
    return replace(converted, config=config)
