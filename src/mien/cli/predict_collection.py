"""`mien predict --engine ray`."""

from __future__ import annotations

import sys
from typing import Any

from mien.cli.progress import progress
from mien.cli.terminal import one_line, warn
from mien.errors import OptionError, UnknownNameError
from mien.wording import counted

_MOST_UNREAD = 20  # named; the others are counted


def predict_collection(sources: list[str], output: str | None, *, quiet: bool, **options: Any) -> int:
    """Predict into a folder of parts. 0: done; 1: a file could not be read."""
    from mien.distributed import predict

    if options["engine"] not in predict.ENGINES:
        raise UnknownNameError("engine", options["engine"], predict.ENGINES)
    if output is None:
        raise OptionError("--engine ray writes its table in parts: name a folder or a URI for them with --output")
    with progress("predicting", quiet=quiet) as bar:
        result = predict.predict_collection(sources, output, progress=bar, **options)
    for name, error in result.unread[:_MOST_UNREAD]:
        warn(f"{one_line(name)}: {error}")
    if result.errors > _MOST_UNREAD:
        warn(f"and {result.errors - _MOST_UNREAD:,} more, in the table with their error")
    if not quiet:
        parts = [f"{counted(result.faces, 'face')} in {counted(result.images - result.errors, 'image')}"]
        parts += [f"{result.errors:,} could not be read"] * (result.errors > 0)
        kept = f", with {counted(result.others, 'image')} of earlier runs" if result.others else ""
        made = f"{counted(result.parts, 'part')}, {result.made_now:,} made now"
        print(f"{', '.join(parts)}; table: {result.output}{kept} ({made})", file=sys.stderr)  # noqa: T201
    return 1 if result.errors else 0
