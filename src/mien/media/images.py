"""Image files, whatever is in them, as upright RGB uint8 (H, W, 3), and such arrays as image files."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import threading
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError

from mien.arguments import checked
from mien.errors import ImageError, InputError, how_to_install
from mien.media.atomic import atomic_open
from mien.media.marking import marked_exif
from mien.media.pixels import from_array, rgb_of
from mien.media.sniff import HEAD, IMAGE_SUFFIXES, VIDEO_SUFFIXES, suffix_of
from mien.wording import in_one_line

FORMATS = tuple(  # of Pillow, that are read; none runs a program or renders a drawing
    "JPEG MPO PNG WEBP GIF BMP DIB TIFF JPEG2000 AVIF HEIF PPM TGA ICO QOI".split()
)
MAX_PIXELS = 120_000_000  # 343 MiB as RGB; cameras of phones have up to 108 million, Pillow refuses 179 million
MAX_BYTES = 256 * 2**20  # of a file
_VIDEO = "is a video, not an image; for its frames: mien predict, mien.stream or recognizer.predict_video"
MIN_SIDE_PX = 16  # no face can be recognised in less

ImageSource = str | os.PathLike[str] | bytes | np.ndarray | Image.Image

_opening = threading.Lock()  # the warnings filter below is global to the process


def _fresh_lock() -> None:
    global _opening
    _opening = threading.Lock()


if hasattr(os, "register_at_fork"):  # a thread of the parent may have held it
    os.register_at_fork(after_in_child=_fresh_lock)


@checked
def read_image(source: str | os.PathLike[str] | bytes, *, name: str | None = None) -> np.ndarray:
    """An image as RGB uint8 (H, W, 3), turned upright by its EXIF orientation.

    `source`: a path, or the bytes of a file. Grey, palette, CMYK, 16-bit and float images are converted,
    transparency is laid on white, of an animation the first frame is taken. Raises `ImageError` with
    the reason and the remedy; `name` is what the error calls bytes.
    """
    return read_first_frame(source, name=name)[0]


def read_first_frame(source: str | os.PathLike[str] | bytes, *, name: str | None = None) -> tuple[np.ndarray, int]:
    """`read_image`, and how many frames or pages the file has."""
    try:
        label = name or ("bytes" if isinstance(source, bytes) else os.fsdecode(source))
    except TypeError as error:  # a path of the user's own
        raise InputError(f"{type(source).__name__} is no path ({error})") from None
    image, frames = _decode(source if isinstance(source, bytes) else bytes_of(source, label), label)
    height, width = image.shape[:2]
    if min(height, width) < MIN_SIDE_PX:
        raise ImageError(label, f"only {width}x{height} pixels; at least {MIN_SIDE_PX}x{MIN_SIDE_PX} are needed")
    return image, frames


def to_rgb(source: ImageSource) -> np.ndarray:
    """A path, the bytes of a file, a PIL image or an array as RGB uint8 (H, W, 3); `InputError` for others."""
    if isinstance(source, (str, os.PathLike, bytes)):
        return read_image(source)
    if isinstance(source, np.ndarray):
        return from_array(source)
    if isinstance(source, Image.Image):
        if 0 in source.size:
            raise InputError(f"the PIL image has {source.width}x{source.height} pixels")
        try:
            return rgb_of(source)
        except (OSError, ValueError) as error:  # its file ends early, or was closed
            raise InputError(f"the PIL image cannot be read ({error}); open its file again") from error
    hint = _HINTS.get(type(source).__name__, "")
    hint = "; for many images use recognizer.predict_many" if isinstance(source, (list, tuple)) else hint
    raise InputError(f"an image is a path, bytes, PIL image or array, not {type(source).__name__}{hint}")


_HINTS = {  # by the name of the type
    **dict.fromkeys(("BytesIO", "BufferedReader"), "; give its bytes: file.read()"),
    **dict.fromkeys(("bytearray", "memoryview"), "; give bytes(x)"),
    "Tensor": "; give an array: x.numpy(), channels last (from C, H, W: x.permute(1, 2, 0).numpy())",
}


def bytes_of(path: str | os.PathLike[str], label: str) -> bytes:
    """The content of an image file; raises `ImageError`, which calls it `label`."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise ImageError(label, "is a folder, not an image")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(label, "is a device or a pipe, not a file; save it as a file first")
        with open(path, "rb") as file:
            if status.st_size > MAX_BYTES:
                reason = _what_instead(file.read(HEAD), label)
                if "video" not in reason:
                    reason = f"has {status.st_size >> 20} MiB; at most {MAX_BYTES >> 20} are read: make it smaller"
                raise ImageError(label, reason)
            return file.read()
    except FileNotFoundError:
        raise ImageError(label, _why_absent(label)) from None
    except PermissionError:
        raise ImageError(label, "may not be read by this user; check its permissions") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        if getattr(error, "errno", None) == errno.ENAMETOOLONG:
            if label.startswith("data:"):
                raise ImageError(label[:60] + "…", _why_absent(label)) from None
            label = label[:60] + "…"
            raise ImageError(label, "is too long for a path; for base64 text give base64.b64decode(text)") from None
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(label, f"cannot be read ({reason}); check its name and the disk") from None


def _why_absent(label: str) -> str:
    if "://" in label or label.startswith(("http:", "https:")):
        return "is an address; mien never goes online: download the image first"
    if label.startswith("data:"):
        return "is a data URL; give base64.b64decode(text.partition(',')[2])"
    if label.startswith("camera:"):
        return "is a camera, not an image; for its frames: mien camera"
    return "no such file; check the path"


def _decode(data: bytes, label: str) -> tuple[np.ndarray, int]:
    if not data:
        raise ImageError(label, "the file is empty (0 bytes); copy or download it again")
    _allow_heif(data, label)
    try:
        with open_image(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            image.load()
            return rgb_of(image), _frames(image)
    except Image.DecompressionBombError:
        raise ImageError(
            label, f"more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller (this limit guards memory)"
        ) from None
    except UnidentifiedImageError:
        raise ImageError(label, _what_instead(data[:HEAD], label)) from None
    except InputError as error:
        raise ImageError(label, str(error)) from None
    except MemoryError:
        raise ImageError(label, "does not fit into memory; make it smaller") from None
    except Exception as error:  # Pillow's decoders raise anything on damaged files
        if "truncated" in str(error).lower():
            reason = "the image ends early (truncated file); copy or download it again"
        else:
            reason = f"the image is damaged ({error or type(error).__name__}); save it again as PNG or JPEG"
        raise ImageError(label, in_one_line(reason)) from None


def open_image(file: IO[bytes]) -> Image.Image:
    """An image of one of `FORMATS`, its pixels not yet decoded; raises whatever Pillow does."""
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the caller checks the size, in our words
        Image.preinit()
        try:
            return Image.open(file, formats=_known())
        except UnidentifiedImageError:  # none of the common formats; the rare ones take a while to import
            Image.init()
            file.seek(0)
            return Image.open(file, formats=_known())


def _known() -> list[str]:
    return [name for name in FORMATS if name in Image.OPEN]


def _frames(image: Image.Image) -> int:
    """1 for formats whose further images are previews of the first."""
    frames = 1
    if image.format not in ("MPO", "HEIF", "ICO"):
        with contextlib.suppress(Exception):  # damage beyond the first frame must not cost it
            frames = int(getattr(image, "n_frames", 1))
    return frames


def _allow_heif(data: bytes, label: str) -> None:
    """Make Pillow able to read HEIC where the image is one; needs the `heic` extra."""
    if suffix_of(data[:HEAD]) == ".heic":
        if find_spec("pillow_heif") is None:
            raise ImageError(label, f"HEIC images need pillow-heif; {how_to_install('heic')}")
        from pillow_heif import register_heif_opener

        register_heif_opener()


def _what_instead(data: bytes, label: str) -> str:
    """Why Pillow did not recognise the file, and what to do instead."""
    head = data.lstrip().lower()
    if head.startswith((b"/9j/", b"ivborw0kggo", b"r0lgod", b"ukligr", b"data:")):
        return "is base64 text; give base64.b64decode(text), of a data URL what follows its comma"
    suffix = Path(label).suffix.lower()
    if suffix in VIDEO_SUFFIXES or suffix_of(data) in VIDEO_SUFFIXES:
        return _VIDEO
    if head.startswith((b"<!doctype html", b"<html")):
        return "holds a web page, not an image; download the image itself"
    if head.startswith((b"<?xml", b"<svg")):
        return "holds XML or a vector drawing; save it as PNG or JPEG"
    if head.startswith(b"%pdf"):
        return "is a PDF; export its images as PNG or JPEG"
    if refused := _format_of(data):
        return f"is in the format {refused}, which is not read; save it as PNG or JPEG"
    if suffix in IMAGE_SUFFIXES:
        return f"is not an image although it is called {suffix}; check the file"
    if suffix in _LISTS:
        return "is not an image of a known format; a list of paths in .txt or .parquet is read with --engine ray"
    return "is not an image of a known format; convert it to PNG or JPEG"


_LISTS = (".txt", ".lst", ".csv", ".parquet")
_UNKNOWN_TO_PILLOW = {b"v/1\x01": "OpenEXR", b"gimp xcf": "GIMP XCF", b"#?RADIANCE": "Radiance HDR"}


def _format_of(data: bytes) -> str:
    """The name of an image format that is not read, by the first bytes; nothing is decoded."""
    names = [name for head, name in _UNKNOWN_TO_PILLOW.items() if data.startswith(head)]
    names += ["DICOM"] if data[128:132] == b"DICM" else []
    for name, (opener, accepts) in Image.OPEN.items():
        with contextlib.suppress(Exception):  # of fewer bytes than it looks at
            if name not in FORMATS and accepts is not None and accepts(data[:16]):
                names.append(f"{name} ({getattr(opener, 'format_description', name)})")
    return names[-1] if names else ""


def write_image(image: np.ndarray, path: Path, *, is_output: bool = False) -> None:
    """RGB uint8 (H, W, 3) to a file in one step; the suffix chooses the format.

    `is_output`: it is drawn of another image, and no input of a later run (`mien.media.outputs`).
    """
    encoding = check_image_suffix(path)
    with atomic_open(path) as file:
        Image.fromarray(image).save(file, encoding, quality=92, exif=marked_exif() if is_output else b"")


def check_image_suffix(path: Path) -> str:
    """The encoding that the suffix names; raises `InputError` where images cannot be saved as it."""
    encoding = Image.registered_extensions().get(path.suffix.lower())
    if encoding is None or encoding not in Image.SAVE:
        raise InputError(f"{path}: images cannot be saved as {path.suffix!r}; use .jpg or .png")
    return encoding
