"""Picture files, whatever is in them, as upright RGB uint8 (H, W, 3)."""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mien.errors import InputError, PictureError

PICTURE_SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".dib",
        ".gif",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".jp2",
        ".j2k",
        ".avif",
        ".heic",
        ".heif",
        ".tga",
        ".ico",
        ".mpo",
        ".qoi",
    ]
)
VIDEO_SUFFIXES = frozenset(
    [".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"]
)
MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485  # Pillow's own limit: about 89 megapixels, 256 MiB as RGB
MIN_SIDE_PX = 16  # no face can be read in less

_opening = threading.Lock()  # the warnings filter below is global to the process


def read_picture(source: str | os.PathLike[str] | bytes, *, name: str | None = None) -> np.ndarray:
    """A picture as RGB uint8 (H, W, 3), turned upright by its EXIF orientation.

    `source`: a path, or the bytes of a file. Grey, palette, CMYK, 16-bit and float pictures are converted,
    transparency is laid on white, of an animation the first frame is taken. Raises `PictureError` with
    the reason and the remedy; `name` is what the error calls bytes.
    """
    label = name or ("bytes" if isinstance(source, bytes) else os.fspath(source))
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except FileNotFoundError:
        raise PictureError(label, _why_absent(label)) from None
    except IsADirectoryError:
        raise PictureError(label, "is a folder, not a picture") from None
    except PermissionError:
        raise PictureError(label, "may not be read by this user; check its permissions") from None
    except OSError as error:
        raise PictureError(
            label, f"cannot be read ({error.strerror or error}); check the disk or network"
        ) from None
    if not data:
        raise PictureError(label, "the file is empty (0 bytes); copy or download it again")
    picture = _decode(data, label)
    height, width = picture.shape[:2]
    if min(height, width) < MIN_SIDE_PX:
        raise PictureError(label, f"only {width}x{height} pixels; at least {MIN_SIDE_PX}x{MIN_SIDE_PX} are needed")
    return picture


def _why_absent(label: str) -> str:
    if "://" in label or label.startswith(("http:", "https:")):
        return "is an address; mien never goes online: download the picture first"
    if label.startswith("camera:"):
        return "is a camera; this version reads pictures only"
    return "no such file; check the path"


def _decode(data: bytes, label: str) -> np.ndarray:
    try:
        with _opening, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(_with_heif(data, label)))
        with image:
            image.load()
            return np.asarray(_rgb(ImageOps.exif_transpose(image)))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise PictureError(
            label,
            f"more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller (this limit guards memory)",
        ) from None
    except UnidentifiedImageError:
        raise PictureError(label, _what_instead(data, label)) from None
    except (OSError, SyntaxError, ValueError, IndexError, EOFError, MemoryError) as error:
        # Pillow's decoders raise all of these on damaged files
        if "truncated" in str(error).lower():
            raise PictureError(
                label, "the picture ends early (truncated file); copy or download it again"
            ) from None
        raise PictureError(
            label, f"the picture is damaged ({error}); open and save it again as PNG or JPEG"
        ) from None


def _rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode to RGB."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image, dtype=np.float64)
        top = float(values.max(initial=0))
        full = (
            65535.0
            if image.mode != "F" and top <= 65535
            else 1.0
            if image.mode == "F" and top <= 1
            else max(top, 1.0)
        )
        full = 255.0 if image.mode in ("I", "F") and 1 < top <= 255 else full
        return Image.fromarray((values.clip(0) * (255 / full)).clip(0, 255).astype(np.uint8)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return image.convert("RGB")


def _with_heif(data: bytes, label: str) -> bytes:
    """Make Pillow able to read HEIC where the picture is one; needs the `heic` extra."""
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
        if find_spec("pillow_heif") is None:
            raise PictureError(label, "HEIC pictures need pillow-heif: pip install 'mien[heic]'")
        from pillow_heif import register_heif_opener

        register_heif_opener()
    return data


def _what_instead(data: bytes, label: str) -> str:
    """Why Pillow did not recognise the file, in the words of somebody who looks for the mistake."""
    head = data[:512].lstrip().lower()
    suffix = Path(label).suffix.lower()
    if suffix in VIDEO_SUFFIXES or data[4:8] == b"ftyp" or data[:4] == b"\x1aE\xdf\xa3":
        return "is a video; this version reads pictures only: extract frames first"
    if head.startswith((b"<!doctype html", b"<html")):
        return "holds a web page, not a picture; download the picture itself"
    if head.startswith((b"<?xml", b"<svg")):
        return "holds XML or a vector drawing; save it as PNG or JPEG"
    if head.startswith(b"%pdf"):
        return "is a PDF; export its pictures as PNG or JPEG"
    if suffix in PICTURE_SUFFIXES:
        return f"is not a picture although it is called {suffix}; check the file"
    return "is not a picture of a known format; convert it to PNG or JPEG"


def pictures_in(folder: Path) -> Iterator[Path | PictureError]:
    """Every picture file below a folder, sorted; hidden folders are left out, links are not followed.

    A subfolder that may not be opened is yielded as the error it is.
    """
    refused: list[PictureError] = []

    def refuse(error: OSError) -> None:
        refused.append(PictureError(str(error.filename), "the folder may not be opened; check its permissions"))

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if Path(name).suffix.lower() in PICTURE_SUFFIXES and not name.startswith("."):
                yield Path(parent) / name
    yield from refused


def write_picture(picture: np.ndarray, path: Path) -> None:
    """RGB uint8 (H, W, 3) to a file; the suffix chooses the format. Written whole or not at all."""
    half = path.with_name(f".{path.name}.half{path.suffix}")
    try:
        Image.fromarray(picture).save(half, quality=92)
        half.replace(path)
    except ValueError:
        raise InputError(f"{path}: pictures cannot be saved as {path.suffix!r}; use .jpg or .png") from None
    finally:
        half.unlink(missing_ok=True)
