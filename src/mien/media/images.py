"""Image files, whatever is in them, as upright RGB uint8 (H, W, 3); the images and videos of a folder."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mien.arguments import checked
from mien.errors import ImageError, InputError, how_to_install
from mien.media.atomic import atomic_open
from mien.media.sniff import HEAD, suffix_of

IMAGE_SUFFIXES = frozenset(
    (
        ".jpg .jpeg .jpe .jfif .png .apng .webp .bmp .dib .gif .tif .tiff .ppm .pgm .pbm .pnm .jp2 .j2k .avif "
        ".heic .heif .tga .ico .mpo .qoi"
    ).split()
)
VIDEO_SUFFIXES = frozenset(".mp4 .mov .avi .mkv .webm .m4v .mpg .mpeg .mts .m2ts .wmv .flv .3gp .ogv .mxf".split())
FORMATS = tuple(  # of Pillow, that are read; none runs a program or renders a drawing
    "JPEG MPO PNG WEBP GIF BMP DIB TIFF JPEG2000 AVIF HEIF PPM TGA ICO QOI".split()
)
_ORIENTATION = 0x0112  # of EXIF
_STRIP_PIXELS = 250_000  # converted at a time: strips that fit the cache and are no new memory each time
MOST_NEGATIVE = 0.1  # share of the values of an image in single precision
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
        return _from_array(source)
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


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,), (4,)) or 0 in array.shape:
        hint = (
            "; channels come last: x.transpose(1, 2, 0)" if array.ndim == 3 and array.shape[0] in (1, 3, 4) else ""
        )
        hint = "; give one image at a time: x[0], x[1], ..." if array.ndim == 4 else hint
        raise InputError(
            f"the array has shape {array.shape}; give (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey{hint}"
        )
    if array.dtype != np.uint8:
        array = _to_uint8(array)
    if array.shape[2:] == (3,):
        return np.ascontiguousarray(array)
    return rgb_of(Image.fromarray(array))


def _to_uint8(array: np.ndarray) -> np.ndarray:
    """Whole numbers 0..255 of another type, or floats 0..1; raises `InputError` with the conversion for others."""
    if array.dtype.kind not in "iuf":
        raise InputError(f"the array holds {array.dtype}; give uint8 RGB, 0..255")
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise InputError(
            f"the array holds {array.dtype} with NaN or infinity; first: np.nan_to_num(x, posinf=0, neginf=0)"
        )
    integers = array.dtype.kind in "iu"
    if integers and low >= 0 and (high > 1 or high == 0) and high <= 255 and array.dtype != np.int8:
        return array.astype(np.uint8)
    if not integers and low >= 0 and (high >= _STEP or high == 0) and high <= 1:
        return (255 * array.astype(np.float64)).round().astype(np.uint8)
    if integers and low >= 0 and high <= 1:
        remedy = "they were rounded from 0..1: give those floats; of black and white x.astype('uint8') * 255"
    elif array.dtype == np.int8:
        remedy = "int8 ends at 127: take the image from before it was converted"
    elif low >= 0 and high < _STEP:
        remedy = "x * 255 where it was divided by 255 twice"
    elif integers and low >= 0 and high <= 65535:
        full = next(full for full in (1023, 4095, 16383, 65535) if high <= full)
        remedy = f"(x * (255 / {full})).round().astype('uint8') where {full} is white"
    elif low >= 0 and high <= 255:
        remedy = "x.clip(0, 1) where 1 is white, x.round().astype('uint8') where 255 is"
    else:
        remedy = "bring them to 0..255, and x.astype('uint8'); undo a network's normalisation first"
    raise InputError(f"the array holds {array.dtype} from {low:g} to {high:g}; give uint8 RGB, 0..255: {remedy}")


_STEP = 0.99 / 255  # no image of 8 bits, as floats 0..1, has its greatest value below


def rgb_of(image: Image.Image) -> np.ndarray:
    """A Pillow image as RGB uint8 (H, W, 3): upright, any mode, transparency on white."""
    with contextlib.suppress(Exception):  # damaged EXIF must not cost a good image
        if image.getexif().get(_ORIENTATION, 1) != 1:  # it would be copied as well where there is nothing to do
            image = ImageOps.exif_transpose(image)
    pixels = pixels_of(_rgb(image))
    pixels.flags.writeable = False
    return pixels


def pixels_of(image: Image.Image) -> np.ndarray:
    """An RGB image as an array (H, W, 3) uint8, made in strips: at once, it would be copied several times over."""
    array = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        array[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return array


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
                reason = _what_instead(file.read(512), label)
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
        raise ImageError(label, _what_instead(data[:512], label)) from None
    except InputError as error:
        raise ImageError(label, str(error)) from None
    except MemoryError:
        raise ImageError(label, "does not fit into memory; make it smaller") from None
    except Exception as error:  # Pillow's decoders raise anything on damaged files
        if "truncated" in str(error).lower():
            reason = "the image ends early (truncated file); copy or download it again"
        else:
            reason = f"the image is damaged ({error or type(error).__name__}); save it again as PNG or JPEG"
        raise ImageError(label, " ".join(reason.split())) from None


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


def _rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode to RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_bytes(np.asarray(image, dtype=np.float64))).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Grey values of unknown depth to 0..255: the smallest usual range that holds 99.9 % of them is theirs.

    Raises `InputError` where more of them are negative than sharpening leaves.
    """
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    if np.mean(values < 0) > MOST_NEGATIVE:
        raise InputError(f"the image holds values from {values.min():g} to {values.max():g}; bring them to 0..255")
    values = values.clip(min=0)
    top = float(np.percentile(values, 99.9)) if values.size else 0.0
    full = next((full for full in (1, 255, 1023, 4095, 16383, 65535) if top <= full), top)
    return (values * (255 / full)).clip(max=255).round().astype(np.uint8)


def _allow_heif(data: bytes, label: str) -> None:
    """Make Pillow able to read HEIC where the image is one; needs the `heic` extra."""
    brands = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
    if data[4:8] == b"ftyp" and data[8:12] in brands:
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
    if suffix in VIDEO_SUFFIXES or data[4:8] == b"ftyp" or data[:4] == b"\x1aE\xdf\xa3":
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


def images_in(folder: str) -> Iterator[str | ImageError]:
    """Every image and video below a folder, sorted; hidden files and folders are left out.

    By the ending of its name; a name without one, by its first bytes.
    Yielded as the errors they are: subfolders that may not be opened, and links to folders elsewhere, which are not
    followed.
    """
    refused: list[ImageError] = []

    def refuse(error: OSError) -> None:
        refused.append(ImageError(str(error.filename), "the folder may not be opened; check its permissions"))

    root = os.path.join(os.path.realpath(folder), "")
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(parent, name)
            suffix = os.path.splitext(name)[1].lower() or _suffix_within(path)
            if suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES and not name.startswith("."):
                yield path
        for path in (os.path.join(parent, name) for name in folders):
            if os.path.islink(path) and not os.path.join(os.path.realpath(path), "").startswith(root):
                refused.append(
                    ImageError(path, "is a link to a folder, which is not followed; name that folder, too")
                )
    yield from refused


def _suffix_within(path: str) -> str | None:
    """The ending that an image without one should have; None for other files. Videos need their ending."""
    if not os.path.isfile(path):  # opening a pipe would wait
        return None
    try:
        with open(path, "rb") as file:
            suffix = suffix_of(file.read(HEAD))
    except OSError:
        return None
    return suffix if suffix in IMAGE_SUFFIXES else None


def write_image(image: np.ndarray, path: Path) -> None:
    """RGB uint8 (H, W, 3) to a file in one step; the suffix chooses the format."""
    encoding = check_image_suffix(path)
    with atomic_open(path) as file:
        Image.fromarray(image).save(file, encoding, quality=92)


def check_image_suffix(path: Path) -> str:
    """The encoding that the suffix names; raises `InputError` where images cannot be saved as it."""
    encoding = Image.registered_extensions().get(path.suffix.lower())
    if encoding is None or encoding not in Image.SAVE:
        raise InputError(f"{path}: images cannot be saved as {path.suffix!r}; use .jpg or .png")
    return encoding


def is_grey(image: np.ndarray) -> bool:
    """Whether the three channels of (H, W, 3) are the same."""
    return np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(image[..., 1], image[..., 2])
