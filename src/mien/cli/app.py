"""The commands and their options; what they do is loaded only when they run."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from mien._version import __version__
from mien.cli.data import data_app

app = typer.Typer(
    name="mien",
    help="Read facial expressions from images, offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
weights_app = typer.Typer(help="Weights: those of the package, official files and your own.", no_args_is_help=True)
_WHICH = "Name of shipped weights, a .safetensors file with its record, or a folder with a manifest.json."
app.add_typer(weights_app, name="weights")
app.add_typer(data_app, name="data")


def run(arguments: list[str]) -> int:
    """Run one command; errors of ours become one line on stderr. 0 done, 1 failed, 2 wrong usage."""
    from mien.errors import MienError, OptionError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name the terminal cannot show must not end the run
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(arguments, standalone_mode=False)
    except MienError as error:
        _say(str(error))
        return 2 if isinstance(error, OptionError) else 1
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except typer.Exit as stop:
        code = stop.exit_code
    except BrokenPipeError:  # `mien ... | head`: nobody reads on
        sys.stderr.close()
        return 1
    except Exception as error:
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            raise
        error.show()  # wrong usage, in the words of the command line library
        return int(error.exit_code)
    if code == _INTERRUPTED:
        _say("stopped; what was begun with --output or --out is kept, the same command goes on with it")
        return 1
    return code if isinstance(code, int) else 0


_INTERRUPTED = 130  # what the command line library makes of Ctrl-C


def _say(line: str) -> None:
    print(f"mien: {line}", file=sys.stderr)  # noqa: T201


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mien {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def predict(
    sources: Annotated[
        list[str],
        typer.Argument(help="Images and folders (searched through all levels).", show_default=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write the table here: .csv, .parquet or .jsonl. An interrupted run resumes.",
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Folder for annotated images and one .json of faces each.")
    ] = None,
    crops: Annotated[
        bool, typer.Option("--crops", help="Every image is one face crop: no detection, one row each.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line per row read now.")] = False,
    threshold: Annotated[float, typer.Option(help="Least confidence of a face, 0 to 1.")] = 0.5,
    small_faces: Annotated[
        bool,
        typer.Option("--small-faces", help="Search large images at full size: faces from about 10 pixels, slower."),
    ] = False,
    detector: Annotated[
        str, typer.Option(help="Who finds the faces: yunet_slim, or centerface (an extra) at ten times its cost.")
    ] = "yunet-slim",
    labels: Annotated[
        str | None, typer.Option(help="Answer in another label set: raf-db (7 classes), affectnet-8, ...")
    ] = None,
    priors: Annotated[
        str, typer.Option(help="Class frequencies to assume: default, natural or balanced.")
    ] = "default",
    min_confidence: Annotated[
        float | None,
        typer.Option(
            help="Least probability of a certain answer, 0 to 1. As the weights state.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[str, typer.Option(help=_WHICH)] = "default",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over instead of resuming.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
) -> int:
    """Find the faces in images and read their expressions."""
    from mien.cli.predict import Request, predict_command

    return predict_command(
        Request(
            sources=tuple(sources), output=output, save=save, crops=crops, json=json, threshold=threshold,
            small_faces=small_faces, detector=detector, labels=labels, priors=priors,
            min_confidence=min_confidence, weights=weights, overwrite=overwrite, quiet=quiet,
        )
    )  # fmt: skip


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe: a Python file that ends in RECIPE = Recipe(...).")],
    data: Annotated[Path, typer.Option(help="Folder that mien data prepare made.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run. A run begun there goes on.")],
    also: Annotated[
        list[Path] | None,
        typer.Option(help="A further prepared set to learn from, not to judge on. May be repeated."),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a field: --set epochs=5 --set optimizer.rate=1e-4. May be repeated."),
    ] = None,
    weights_folder: Annotated[
        Path, typer.Option(help="Where the recipe's starting weights lie, unless the package ships them.")
    ] = Path("weights"),
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="No starting weights; nothing is frozen.")
    ] = False,
    fold: Annotated[int, typer.Option(help="Which fold of the recipe's protocol, from 0.", min=0)] = 0,
    devices: Annotated[str, typer.Option(help="GPUs or processes: a number, or auto.")] = "auto",
    nodes: Annotated[int, typer.Option(help="Machines, under torchrun or SLURM.", min=1)] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> int:
    """Train a network as a recipe says; stopped at any moment, the same command goes on."""
    try:
        from mien.cli.train import Request, train_command
    except ModuleNotFoundError as error:
        from mien.errors import MissingPackageError

        raise MissingPackageError("Training", error.name or "torch", "train") from error
    return train_command(
        Request(
            recipe=recipe, data=data, also=tuple(also or ()), out=out, changes=tuple(change or ()),
            weights_folder=weights_folder, from_scratch=from_scratch, fold=fold, devices=devices, nodes=nodes,
            accelerator=accelerator, quiet=quiet,
        )
    )  # fmt: skip


@app.command()
def evaluate(
    set: Annotated[str, typer.Argument(help="Data set: ferplus, raf-db, folder, csv, ... (mien data list).")],
    data: Annotated[Path, typer.Option(help="Where the set was unpacked: a folder or a .zip.")],
    weights: Annotated[str, typer.Option(help="Weights by name or path.")] = "default",
    predictions: Annotated[
        Path | None, typer.Option(help="Judge a table that mien predict wrote instead of weights.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split to judge; test where there is one.")] = "",
    variant: Annotated[str, typer.Option(help="Variant of the set, as mien data list names them.")] = "",
    compare: Annotated[
        str | None, typer.Option(help="Weights or a table of predictions to compare with (McNemar).")
    ] = None,
    under: Annotated[
        str,
        typer.Option(help="Also judge the same images made worse: blur,noise,mask,... or all."),
    ] = "",
    crops: Annotated[
        bool | None,
        typer.Option("--crops/--detect", help="Images are faces already, or are searched. As the set says."),
    ] = None,
    flip: Annotated[
        bool | None,
        typer.Option("--flip/--no-flip", help="Average with the horizontally flipped image. As the weights say."),
    ] = None,
    priors: Annotated[
        str, typer.Option(help="Class frequencies to assume: default, natural or balanced.")
    ] = "default",
    skip_broken: Annotated[bool, typer.Option("--skip-broken", help="Leave broken rows of the set out.")] = False,
    no_duplicates: Annotated[
        bool,
        typer.Option("--no-duplicates", help="Leave out images with a near-duplicate in another split (slower)."),
    ] = False,
    limit: Annotated[int, typer.Option(help="Judge only so many images, drawn at random.", min=0)] = 0,
    jobs: Annotated[int, typer.Option(help="Images at a time.", min=1)] = 2,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots and the surest mistakes.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write every figure as JSON.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> int:
    """Judge weights or predictions on a labelled set."""
    from mien.cli.evaluate import Request, evaluate_command

    return evaluate_command(
        Request(
            set=set, data=data, variant=variant, split=split, weights=weights, predictions=predictions,
            compare=compare, under=under, crops=crops, flip=flip, priors=priors, skip_broken=skip_broken,
            no_duplicates=no_duplicates, limit=limit, jobs=jobs, html=html, json=json, quiet=quiet,
        )
    )  # fmt: skip


@weights_app.command("list")
def weights_list() -> None:
    """The weights in the package, with what was measured on them."""
    from mien.cli.weights import list_command

    list_command()


@weights_app.command("show")
def weights_show(
    name: Annotated[str, typer.Argument(help=_WHICH)] = "default",
) -> None:
    """Everything a weights record says, as JSON."""
    from mien.cli.weights import show_command

    show_command(name)


@weights_app.command("convert")
def weights_convert(
    file: Annotated[
        Path,
        typer.Argument(help="Official checkpoint: POSTER, POSTER++, APViT, or a backbone that they start from."),
    ],
    to: Annotated[Path, typer.Option("--to", help="OUT.safetensors; its record OUT.json is written beside it.")],
    labels: Annotated[
        str | None,
        typer.Option(
            help="What it was trained on: raf-db, affectnet-7, affectnet-8, ... "
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
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Also write OUT.onnx: faster, and prediction needs no torch. Minutes.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """An official checkpoint into safetensors and a record; nothing in it is run."""
    from mien.cli.weights import convert_command

    convert_command(file, to, labels=labels, channels=channels, keep_rates=keep_rates, onnx=onnx, force=force)


@weights_app.command("verify")
def weights_verify(
    names: Annotated[list[str] | None, typer.Argument(help=f"{_WHICH} Default: all of the package.")] = None,
) -> int:
    """Whether files are whole, fit their network and answer as they should; one line per check."""
    from mien.cli.weights import verify_command

    return verify_command(names or [])
