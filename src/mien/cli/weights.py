"""`mien weights` and `mien export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.options import WEIGHTS, Quiet, all_weights_names
from mien.errors import OptionError

if TYPE_CHECKING:
    from mien.weights.manifest import WeightsManifest

weights_app = typer.Typer(help="Weights: those of the package, official files and your own.", no_args_is_help=True)


@weights_app.command("list")
def list_weights(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Also weights of your own: folders of runs, files, folders of these.")
    ] = None,
) -> None:
    """List weights with their accuracy on each data set; `show` says how each figure was measured."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mien.weights.manifest import load_manifest, manifests_below, shipped_names

    own = [
        (str(path.parent).removesuffix("/weights"), manifest)
        for one in paths or ()
        for path, manifest in manifests_below(one)
    ]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("weights and data sets", overflow="fold")
    for name in ("accuracy", "balanced"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, manifest in own or [(name, load_manifest(name)) for name in shipped_names()]:
        network = ", ".join(filter(None, [manifest.network, _classes(manifest)]))
        table.add_row(Text.assemble((name, "bold"), f" ({network})" if network != name else ""))
        for title, metrics in manifest.measured.items():
            if isinstance(metrics, dict) and "accuracy" in metrics:
                shares = [_percent(metrics.get(key)) for key in ("accuracy", "balanced_accuracy")]
                table.add_row(f"  {title}", *shares)
    Console().print(table)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


@weights_app.command("show")
def show(name: Annotated[str, typer.Argument(help=WEIGHTS, autocompletion=all_weights_names)] = "default") -> None:
    """Print the manifest, after checking that its files are complete."""
    from rich import print_json

    from mien.weights.manifest import load_manifest

    manifest = load_manifest(name)
    for file in manifest.files:
        manifest.file(file)
    print_json(manifest.path.read_text(encoding="utf-8"))


@weights_app.command("convert")
def convert_command(
    file: Annotated[
        Path,
        typer.Argument(help="Official checkpoint: POSTER, POSTER++, APViT, or a backbone that they start from."),
    ],
    to: Annotated[Path, typer.Option("--to", help="OUT.safetensors; its manifest OUT.json is written beside it.")],
    labels: Annotated[
        str | None,
        typer.Option(
            help="Trained on: raf-db, affectnet-7, ..., or its classes in their order: happy,sad,bored. "
            "POSTER and POSTER++ files do not say, and their class order depends on it."
        ),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(help="rgb or bgr, if the training read colours in another order than the authors' code."),
    ] = None,
    keep_rates: Annotated[
        str | None, typer.Option(help="APViT: share of patches that each block keeps, as 1,1,1,1,1,1,0.9,0.9.")
    ] = None,
    framing: Annotated[
        Path | None,
        typer.Option(
            help="The set it was trained on, prepared with --template image: faces in photos are framed like its."
        ),
    ] = None,
    onnx: Annotated[
        bool,
        typer.Option("--onnx", help="Also export to OUT.onnx: faster, and prediction needs no torch. Minutes."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
) -> None:
    """Convert an official checkpoint to safetensors and a manifest; no code in it is executed."""
    from mien.cli.progress import progress
    from mien.prepared.image_framing import stated_framing
    from mien.weights.convert import convert

    try:
        rates = None if keep_rates is None else [float(rate) for rate in keep_rates.split(",")]
    except ValueError as error:
        raise OptionError(f"--keep-rates {keep_rates}: give numbers with commas between, 1,1,0.9") from error
    with progress("exporting", quiet=not onnx) as bar:
        manifest = convert(
            file,
            to,
            labels=labels,
            channels=channels,
            keep_rates=rates,
            framing=None if framing is None else stated_framing(framing),
            onnx=onnx,
            overwrite=overwrite,
            progress=bar,
        )
    _describe(manifest)


@weights_app.command("verify")
def verify_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(help=f"{WEIGHTS} Default: all of the package.", autocompletion=all_weights_names),
    ] = None,
) -> int:
    """Check that files are complete, fit their network and give the golden output; one line per check."""
    from mien.weights.manifest import shipped_names
    from mien.weights.verify import verify

    failed = False
    for name in names or shipped_names():
        for check in verify(name):
            word = "ok" if check.passed else "skipped" if check.passed is None else "FAILED"
            typer.echo(f"{word:8}{check.weights}: {check.message}")
            failed |= check.passed is False
    return int(failed)


def export_command(
    weights: Annotated[
        str, typer.Argument(help=f"Folder of a training run. {WEIGHTS}", autocompletion=all_weights_names)
    ],
    to: Annotated[str, typer.Option("--to", help="The format: onnx, openvino or torch-export.")] = "onnx",
    precision: Annotated[
        str, typer.Option(help="fp32; fp16: stored so; int8: calibrated on the faces of --prepared.")
    ] = "fp32",
    prepared: Annotated[
        Path | None, typer.Option(help="A prepared set: the accuracy lost on it goes into the manifest.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="OUT.onnx, .xml or .pt2; its manifest OUT.json. Default: beside the weights."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Export weights to ONNX, OpenVINO or torch.export, in any precision, checked against torch on real faces."""
    from mien.cli.progress import progress
    from mien.evaluation.export import export

    with progress("exporting", quiet=quiet) as bar:
        manifest = export(weights, to=to, precision=precision, out=out, prepared=prepared, progress=bar)
    _describe(manifest)
    stated = manifest.measured.get("export")
    if stated is None or (to, precision) == ("onnx", "fp32"):
        typer.echo("  checked: ONNX Runtime gives torch's outputs, on real faces too")
    else:
        share = stated["largest_difference"]
        typer.echo(f"  checked: outputs on real faces differ from torch's by at most {share:.2%} of their range")
    if stated is not None and "accuracy_lost" in stated:
        typer.echo(
            f"  accuracy on {stated['set']}, {stated['images']} faces: {stated['accuracy_file']:.2%}, "
            f"torch {stated['accuracy_torch']:.2%}"
        )


def _describe(manifest: WeightsManifest) -> None:
    inputs = manifest.inputs
    typer.echo(manifest.source)
    for file in manifest.files:
        megabytes = (manifest.folder / file).stat().st_size / 1e6
        typer.echo(f"  {manifest.folder / file}: {megabytes:,.{1 if megabytes > 1 else 3}f} MB")
    typer.echo(f"  {manifest.path}: its manifest")
    aligned = "framed as its set" if inputs.template == "image" else f"aligned to {inputs.template!r}"
    typer.echo(f"  input: {inputs.size_px} px, {inputs.channels}, {aligned}")
    if manifest.labels is not None:
        typer.echo(f"  classes: {' '.join(manifest.label_set)} ({_classes(manifest)})")
    if manifest.paper:
        paper = f"{manifest.paper['accuracy']:.2%} on {manifest.paper['dataset']}"
        typer.echo(f"  the paper reports {paper}; not measured by us")
    for note in manifest.notes:
        if not note.startswith("checkpoints: "):  # of the training, for those who repeat it
            typer.echo(f"  note: {note}")
    if manifest.labels is not None:
        weights = manifest.folder if manifest.filename == "manifest.json" else manifest.path
        typer.echo(f"  use: mien predict photo.jpg --weights {weights}")


def _classes(manifest: WeightsManifest) -> str:
    """The name of the label set, or the number of own classes; "" for a network without classes."""
    if manifest.labels is None or isinstance(manifest.labels, str):
        return manifest.labels or ""
    return f"{len(manifest.labels)} own classes"
