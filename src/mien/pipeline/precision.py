"""The file of a manifest that runs on this machine: ONNX in single precision, or in int8."""

from __future__ import annotations

from mien.errors import OptionError
from mien.nn.onnx_session import OnnxSession, open_session
from mien.nn.precision import check_precision, int8_is_faster
from mien.weights.borrow import borrows
from mien.weights.golden import pattern
from mien.weights.manifest import INT8, WeightsManifest


def open_precise(manifest: WeightsManifest, *, threads: int, precision: str) -> tuple[OnnxSession, str]:
    """The session, and the precision it runs in: "float32" or "int8".

    `precision`: "auto" takes int8 where there is such a file, the processor is faster with it and it gives the
    golden output here; nothing is written. Raises `OptionError` where "int8" is asked for and cannot be had.
    """
    check_precision(precision)
    single = manifest.file(".onnx")  # int8 takes its weights from it
    if borrows(single, f"{single.stem}.safetensors"):
        manifest.file(".safetensors")
    if precision == "float32" or not manifest.has(INT8):
        if precision == "int8":
            raise OptionError(
                f"weights {manifest.name!r} have no int8 file; make one with mien export {manifest.name} "
                "--precision int8, or leave precision out"
            )
        return open_session(single, threads=threads), "float32"
    if precision == "int8" or int8_is_faster():
        session = open_session(manifest.file(INT8), threads=threads)
        if precision == "int8" or gives_golden(session, manifest):
            return session, "int8"
    return open_session(single, threads=threads), "float32"


def gives_golden(session: OnnxSession, manifest: WeightsManifest) -> bool:
    """Whether int8 gives here what it gave where the file was made."""
    golden = manifest.golden_int8
    if golden is None:
        return False
    faces = manifest.inputs.normalise(pattern(manifest.inputs.size_px)[None])
    return golden.difference(session.run(None, {"faces": faces})[0]) <= golden.tolerance
