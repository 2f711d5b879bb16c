"""Every kind of image, and every kind of bad one."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import ImageError, InputError
from mien.media import images, pixels
from mien.media.folder import images_in
from mien.media.images import read_first_frame, read_image, to_rgb, write_image

RED = (200, 40, 30)


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGB", ".png"), ("RGB", ".webp"), ("RGB", ".bmp"), ("RGB", ".tiff"), ("RGB", ".gif"), ("CMYK", ".jpg"),
     ("CMYK", ".tiff"), ("P", ".png"), ("RGBA", ".png"), ("RGBA", ".webp")],
)  # fmt: skip
def test_a_red_image_is_red_in_every_mode(tmp_path: Path, mode: str, suffix: str) -> None:
    image = read_image(saved(Image.new("RGB", (32, 20), RED).convert(mode), tmp_path / f"red{suffix}"))
    assert image.shape == (20, 32, 3)
    assert image.dtype == np.uint8
    assert np.abs(image.reshape(-1, 3).mean(axis=0) - RED).max() < 12


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_images_get_three_equal_channels(tmp_path: Path, mode: str) -> None:
    image = read_image(saved(Image.new("L", (20, 20), 255).convert(mode), tmp_path / "grey.png"))
    assert (image == 255).all()


def test_sixteen_bit_grey_keeps_its_brightness(tmp_path: Path) -> None:
    values = np.full((20, 20), 32768, np.uint16)
    image = read_image(saved(Image.fromarray(values), tmp_path / "deep.png"))
    assert abs(int(image[0, 0, 0]) - 128) <= 1


@pytest.mark.parametrize("full", [1.0, 255.0])
def test_float_tiffs_of_both_ranges_are_read(tmp_path: Path, full: float) -> None:
    values = np.linspace(0, full, 400, dtype=np.float32).reshape(20, 20)
    image = read_image(saved(Image.fromarray(values), tmp_path / "float.tiff"))
    assert image[0, 0, 0] == 0
    assert image[-1, -1, 0] == 255


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    assert (read_image(saved(Image.new("RGBA", (20, 20), (0, 0, 0, 0)), tmp_path / "clear.png")) == 255).all()
    palette = Image.new("P", (20, 20), 0)
    assert (read_image(saved(palette, tmp_path / "clear.gif", transparency=0)) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_the_image_upright(tmp_path: Path, orientation: int) -> None:
    upright = Image.new("RGB", (40, 24), "black")
    upright.paste("white", (0, 0, 40, 8))  # white above
    undo = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90",
            7: "TRANSVERSE", 8: "ROTATE_270"}  # fmt: skip
    stored = upright.transpose(Image.Transpose[undo[orientation]]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_image(saved(stored, tmp_path / "turned.png", exif=exif))
    assert image.shape == (24, 40, 3)
    assert image[:6].mean() > 250
    assert image[12:].mean() < 5


def test_of_an_animation_the_first_frame_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("white", "black")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert (read_image(tmp_path / "moving.gif") == 255).all()
    assert read_first_frame(tmp_path / "moving.gif")[1] == 2
    assert read_first_frame(jpeg_bytes())[1] == 1
    frames[0].save(tmp_path / "phone.mpo", save_all=True, append_images=frames[1:])  # a photo and its preview
    assert read_first_frame(tmp_path / "phone.mpo")[1] == 1


def jpeg_bytes() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(file, "JPEG")
    return file.getvalue()


BAD = {
    "empty.jpg": (b"", "empty (0 bytes)"),
    "text.jpg": (b"hello there, no image", "is not an image although it is called .jpg"),
    "page.jpg": (b"<!DOCTYPE html><html>", "web page"),
    "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "vector drawing"),
    "paper.pdf": (b"%PDF-1.7 ...", "PDF"),
    "film.mp4": (b"\x00\x00\x00\x18ftypmp42", "video"),
    "notes.txt": (b"some notes", "not an image of a known format"),
    "cut.jpg": (jpeg_bytes()[:1500], "truncated"),
    "drawing.eps": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
        "EPS (Encapsulated Postscript), which is not",
    ),
    "drawing.jpg": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
        "EPS (Encapsulated Postscript), which is",
    ),
    "drawing.wmf": (
        b"\xd7\xcd\xc6\x9a" + b"\x00" * 40,
        "WMF (Windows Metafile), which is not read; save it as PNG",
    ),
    "layers.psd": (b"8BPS\x00\x01" + b"\x00" * 40, "PSD (Adobe Photoshop)"),
    "stars.fits": (b"SIMPLE  =                    T" + b" " * 3000, "FITS"),
    "scan.dcm": (b"\x00" * 128 + b"DICM", "DICOM"),
    "light.exr": (b"v/1\x01\x02\x00\x00\x00", "OpenEXR"),
    "icon.icns": (b"icns\x00\x00\x01\x00", "ICNS"),
    "cut.png": (b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, "is not an image although it is called .png"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_its_reason(tmp_path: Path, name: str) -> None:
    data, reason = BAD[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_format_that_is_not_read_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("Ghostscript was started")

    monkeypatch.setattr("subprocess.Popen.__init__", started)
    Image.new("RGB", (64, 64), RED).save(tmp_path / "drawing.eps")
    (tmp_path / "photo.jpg").write_bytes((tmp_path / "drawing.eps").read_bytes())
    for name in ("drawing.eps", "photo.jpg"):
        with pytest.raises(
            ImageError, match=r"in the format EPS \(Encapsulated Postscript\), which is not read; save"
        ):
            read_image(tmp_path / name)


@pytest.mark.parametrize(
    "encoding", ["JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "JPEG2000", "PPM", "TGA", "ICO", "QOI"]
)
def test_every_format_of_the_list_is_read(encoding: str) -> None:
    Image.init()
    if encoding not in Image.SAVE:
        pytest.skip(f"this Pillow reads {encoding} and does not write it")
    file = io.BytesIO()
    Image.new("RGB", (64, 64), RED).save(file, encoding)
    assert encoding in images.FORMATS
    assert np.abs(read_image(file.getvalue()).mean(axis=(0, 1)) - RED).max() < 8


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (15, 15)])
def test_an_image_too_small_for_a_face_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"only {size[0]}x{size[1]} pixels"):
        read_image(saved(Image.new("RGB", size), tmp_path / "tiny.png"))


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    side = int(images.MAX_PIXELS**0.5) + 200
    bomb = saved(Image.new("1", (side, side)), tmp_path / "bomb.png")
    assert bomb.stat().st_size < 100_000
    with pytest.raises(ImageError, match="more than 120 megapixels"):
        read_image(bomb)
    with pytest.raises(ImageError, match="more than 120 megapixels"):
        read_image(saved(Image.new("1", (side * 2, side)), tmp_path / "bigger.png"))


def test_a_large_image_is_made_into_an_array_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "_STRIP_PIXELS", 500)
    noise = np.random.default_rng(0).integers(0, 256, (47, 90, 3), np.uint8)
    np.testing.assert_array_equal(pixels.rgb_of(Image.fromarray(noise)), noise)
    turned = Image.fromarray(noise)
    turned.getexif()[0x0112] = 6
    np.testing.assert_array_equal(pixels.rgb_of(turned), np.rot90(noise, -1))
    np.testing.assert_array_equal(pixels.rgb_of(Image.fromarray(noise).resize((600, 3))).shape, (3, 600, 3))


def test_missing_files_folders_addresses_and_cameras_are_told_apart(tmp_path: Path) -> None:
    for source, reason in (
        (tmp_path / "absent.jpg", "no such file"),
        (tmp_path, "is a folder"),
        ("https://example.org/a.jpg", "never goes online"),
        ("camera:0", "is a camera"),
    ):
        with pytest.raises(ImageError, match=reason):
            read_image(source)


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", (20, 20)), tmp_path / "locked.png")
    path.chmod(0)
    with pytest.raises(ImageError, match="may not be read"):
        read_image(path)


def test_permission_errors_become_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mien.media.images.os.stat", refuse)
    with pytest.raises(ImageError, match="may not be read by this user"):
        read_image(tmp_path / "locked.png")


def test_heic_names_the_extra_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "find_spec", lambda _: None)
    (tmp_path / "phone.heic").write_bytes(b"\x00\x00\x00\x18ftypheic" + b"\x00" * 100)
    with pytest.raises(ImageError, match=r"pip install '.\[heic\]'"):
        read_image(tmp_path / "phone.heic")


@pytest.mark.parametrize("top", [255, 1023, 4095, 65535])
def test_grey_of_any_depth_reaches_white(tmp_path: Path, top: int) -> None:
    values = np.linspace(0, top, 400).astype(np.uint16).reshape(20, 20)
    image = read_image(saved(Image.fromarray(values), tmp_path / "deep.png"))
    assert image.min() == 0
    assert image.max() == 255


def test_pixels_that_are_no_numbers_cost_only_themselves(tmp_path: Path) -> None:
    values = np.full((20, 20), 0.5, np.float32)
    values[0, 0], values[0, 1] = np.nan, np.inf
    image = read_image(saved(Image.fromarray(values), tmp_path / "float.tiff"))
    assert abs(int(image[10, 10, 0]) - 128) <= 1


def test_a_value_beyond_the_nominal_range_does_not_darken_the_image(tmp_path: Path) -> None:
    values = np.full((40, 40), 0.5, np.float32)
    values[0, 0] = 1.5
    assert 126 < read_image(saved(Image.fromarray(values), tmp_path / "hdr.tiff"))[20, 20, 0] < 129


def test_damaged_exif_does_not_cost_the_image(tmp_path: Path) -> None:
    path = tmp_path / "exif.jpg"
    Image.new("RGB", (40, 30), RED).save(path, exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff\x12\x01")
    assert read_image(path).shape == (30, 40, 3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="is a device or a pipe"):
        read_image(tmp_path / "pipe.jpg")


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    for name, head, reason in (
        ("big.jpg", b"\xff\xd8\xff", "at most 256 are read"),
        ("big.mp4", b"", "is a video"),
    ):
        with (tmp_path / name).open("wb") as file:
            file.write(head)
            file.truncate(images.MAX_BYTES + 1)
        with pytest.raises(ImageError, match=reason):
            read_image(tmp_path / name)


def test_a_name_too_long_for_the_system_is_one_line() -> None:
    with pytest.raises(ImageError, match="^x{60}…: is too long for a path; for base64"):
        read_image("x" * 5000 + ".jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        read_image("zero\0byte.jpg")


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_of_any_kind_raise_nothing_but_image_errors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    kinds = ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"]
    Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(file, kinds[seed % len(kinds)])
    data = bytearray(file.getvalue())
    for offset in rng.integers(0, len(data), 12):
        data[offset] = int(rng.integers(0, 256))
    with contextlib.suppress(ImageError):
        image = read_image(bytes(data))
        assert (image.dtype, image.shape[2:]) == (np.uint8, (3,))


def test_bytes_are_read_too() -> None:
    assert read_image(jpeg_bytes()).shape == (64, 64, 3)
    with pytest.raises(ImageError, match="upload: the file is empty"):
        read_image(b"", name="upload")


def test_folders_are_listed_in_order_without_hidden_or_foreign_files(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", "deep/er/c.webp", ".hidden/d.png", ".e.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    names = [os.path.relpath(str(path), tmp_path) for path in images_in(str(tmp_path))]
    assert names == ["a.png", "b.JPG", os.path.join("deep", "er", "c.webp")]


def test_an_image_whose_name_has_no_ending_is_known_by_its_content(tmp_path: Path) -> None:
    for name, content in (
        ("6f1e", jpeg_bytes()),
        ("README", b"BOM?"),
        ("clip", b"....ftypisom"),
        (".6f1e", jpeg_bytes()),
    ):
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe")
    assert list(images_in(str(tmp_path))) == [str(tmp_path / "6f1e")]


def test_videos_are_listed_and_linked_folders_named(tmp_path: Path) -> None:
    inside, elsewhere = tmp_path / "inside", tmp_path / "elsewhere"
    for name in ("a.png", "b.MOV", "deep/c.png"):
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_bytes(b"")
    elsewhere.mkdir()
    (inside / "linked").symlink_to(elsewhere)
    (inside / "latest").symlink_to(inside / "deep")  # its images are read where they are
    listed = list(images_in(str(inside)))
    assert [str(item) for item in listed] == [
        f"{inside}/a.png",
        f"{inside}/b.MOV",
        f"{inside}/deep/c.png",
        f"{inside}/linked: is a link to a folder, which is not followed; name that folder, too",
    ]


def test_a_written_image_reads_back(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    write_image(image, tmp_path / "x.png")
    np.testing.assert_array_equal(read_image(tmp_path / "x.png"), image)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


@pytest.mark.parametrize(
    ("array", "remedy"),
    [
        (np.ones((20, 20, 3), np.int64), "rounded from 0..1"),
        (np.full((20, 20, 3), 100, np.int8), "int8 ends at 127"),
        (np.full((20, 20, 3), 0.9 / 255), "divided by 255 twice"),
    ],
)
def test_arrays_that_would_be_read_as_dark_are_refused(array: np.ndarray, remedy: str) -> None:
    with pytest.raises(InputError, match=remedy):
        to_rgb(array)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, ">f4", ">u2"])
def test_black_arrays_are_black_images(dtype: str) -> None:
    assert not to_rgb(np.zeros((20, 20, 3), dtype)).any()


def test_float_images_below_zero_are_refused(tmp_path: Path) -> None:
    values = np.linspace(-300, -45, 400, dtype=np.float32).reshape(20, 20)
    with pytest.raises(InputError, match="values from -300 to -45; bring them to 0..255"):
        to_rgb(Image.fromarray(values))
    with pytest.raises(ImageError, match="float.tiff: the image holds values from -300"):
        read_image(saved(Image.fromarray(values), tmp_path / "float.tiff"))


@pytest.mark.parametrize("name", ["list.txt", "list.csv", "faces.parquet"])
def test_a_list_of_paths_says_where_lists_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a.jpg\nb.jpg\n")
    with pytest.raises(ImageError, match=r"\.txt or \.parquet is read with --engine ray"):
        read_image(tmp_path / name)
