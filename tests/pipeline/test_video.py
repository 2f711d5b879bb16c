"""A video becomes a table of tracked faces, whole or in parts, and a stream of frames."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import mien
from mien.errors import InputError, OptionError, OutputError, VideoError
from mien.faces.passes import MultiPassDetector
from mien.media.encode import VideoWriter
from mien.media.frames import Frame
from mien.pipeline import video as pipeline
from mien.pipeline.annotate import annotate_video
from mien.pipeline.read import read_columns
from mien.tracking.smoothing import smooth
from tests.media.videos import with_display_matrix, write_video

WIDTH, HEIGHT = 256, 192


@pytest.fixture(scope="module")
def frame_of() -> Iterator[np.ndarray]:
    """24 frames: an empty wall, then a face that moves to the right."""
    with Image.open(Path(__file__).parents[2] / "examples/astronaut.jpg") as photo:
        face = np.asarray(photo.convert("RGB").crop((110, 0, 366, 256)).resize((150, 150)))

    def draw(index: int) -> np.ndarray:
        image = np.full((HEIGHT, WIDTH, 3), 120, dtype=np.uint8)
        if index >= 5:
            image[20:170, 2 * index : 2 * index + 150] = face
        return image

    return draw


@pytest.fixture(scope="module")
def talk(frame_of, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "talk.mp4", 24, image_of=frame_of, audio_s=0.8)


@pytest.fixture(scope="module")
def table(talk: Path, tmp_path_factory: pytest.TempPathFactory):
    return mien.load(threads=1).predict_video(talk)


def test_each_frame_has_its_rows(table) -> None:
    rows = table.to_pylist()
    assert [row["frame"] for row in rows] == list(range(24))
    assert [row["time_s"] for row in rows] == pytest.approx([i / 30 for i in range(24)], abs=1e-4)
    assert [row["face"] for row in rows] == [None] * 5 + [0] * 19
    assert {row["track"] for row in rows[5:]} == {0}
    assert {row["expression"] for row in rows[5:]} == {"happiness"}
    assert [row["error"] for row in rows] == [None] * 24


def test_faces_between_detections_are_followed(table) -> None:
    rows = table.to_pylist()[5:]
    detected = [row["detection"] is not None for row in rows]
    assert 0.25 < np.mean(detected) < 0.6
    lefts = np.array([row["left"] for row in rows])
    assert np.diff(lefts) == pytest.approx(np.full(18, 2.0), abs=2.5)


def test_an_unchanged_face_takes_over_the_scores_of_a_frame_near_it(table, talk: Path) -> None:
    rows = table.to_pylist()[5:]
    of_frame = {row["frame"]: row for row in rows}
    probabilities = [name for name in table.column_names if name.startswith("p_")]
    taken = [row for row in rows if row["scores_frame"] != row["frame"]]
    assert len(taken) > len(rows) / 2
    assert any(row["detection"] is not None for row in taken), "in every second key frame, too"
    for row in taken:
        key = of_frame[row["scores_frame"]]
        assert key["scores_frame"] == key["frame"]
        assert key["detection"] is not None
        assert abs(row["time_s"] - key["time_s"]) <= 0.2
        assert [row[name] for name in probabilities] == [key[name] for name in probabilities]
        assert (row["sharpness"], row["flags"]) == (key["sharpness"], key["flags"])
        assert row["left"] != key["left"]
    every = mien.load(threads=1).predict_video(talk, reuse_scores=False).to_pylist()[5:]
    assert [row["scores_frame"] for row in every] == [row["frame"] for row in every]
    for row, recognised in zip(rows, every, strict=True):
        assert row["left"] == pytest.approx(recognised["left"], abs=2)
        assert row["smoothed_confidence"] == pytest.approx(recognised["smoothed_confidence"], abs=0.05)


@pytest.mark.parametrize("changed", [3, 4])
def test_a_face_that_changes_between_two_that_are_recognised_is_recognised(
    frame_of, recognizer: mien.Recognizer, tmp_path: Path, changed: int
) -> None:
    """Frames 0, 3 and 6 are key frames; in 0 and 6 every face is recognised."""

    def draw(index: int) -> np.ndarray:
        image = frame_of(10).copy()
        if index == changed:
            image[110:150, 60:130] = 0
        return image

    table = recognizer.predict_video(write_video(tmp_path / "mouth.mp4", 9, image_of=draw))
    of_frame = dict(zip(table["frame"].to_pylist(), table["scores_frame"].to_pylist(), strict=True))
    assert [of_frame[0], of_frame[changed], of_frame[6]] == [0, changed, 6]
    assert of_frame[5] == 6
    assert of_frame[1] in (0, 6)


def test_smoothed_columns_can_be_computed_again(table) -> None:
    faces = table.slice(5)
    classes = [name for name in faces.column_names if name.startswith("p_")]
    scores = np.stack([faces[name].to_numpy() for name in classes], axis=-1)
    smoothed = smooth(faces["time_s"].to_numpy(), faces["track"].to_numpy(), scores)
    assert faces["smoothed"].to_pylist() == [classes[i].removeprefix("p_") for i in smoothed.argmax(axis=1)]
    assert faces["smoothed_confidence"].to_numpy() == pytest.approx(smoothed.max(axis=1), abs=2e-5)


def _append(calls: list[tuple[int, int | None]], done: int, total: int | None) -> None:
    calls.append((done, total))


def test_a_run_that_was_ended_resumes_to_the_same_bytes(
    talk: Path, recognizer: mien.Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "CHECKPOINT_SPANS", 1)
    complete = tmp_path / "complete.csv"
    recognizer.predict_video(talk, output=complete, end_s=0.7)
    for taken in (9, 20):
        output = tmp_path / f"{taken}.csv"
        results = recognizer.stream([talk], output=output, end_s=0.7)
        for _ in range(taken):
            next(results)
        results.close()
        assert not output.exists()
        calls: list[tuple[int, int | None]] = []
        rest = list(recognizer.stream([talk], output=output, end_s=0.7, progress=partial(_append, calls)))
        assert 0 < len(rest) < 21
        assert (calls[0], calls[-1]) == ((21 - len(rest), 21), (21, 21))
        assert output.read_bytes() == complete.read_bytes()


def test_a_run_that_was_ended_after_the_last_frame_is_finished(
    talk: Path, recognizer: mien.Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "CHECKPOINT_SPANS", 1)
    complete = tmp_path / "complete.jsonl"
    recognizer.predict_video(talk, output=complete, end_s=0.25)
    journal = tmp_path / "out.jsonl.partial"
    results = recognizer.stream([talk], output=tmp_path / "out.jsonl", end_s=0.25)
    list(zip(results, range(7), strict=False))
    results.close()
    assert journal.exists()
    recognizer.predict_video(talk, output=tmp_path / "out.jsonl", end_s=0.25)
    assert (tmp_path / "out.jsonl").read_bytes() == complete.read_bytes()


def test_frames_can_be_sampled_and_left_unsmoothed(talk: Path, recognizer: mien.Recognizer) -> None:
    rows = recognizer.predict_video(talk, fps=5, start_s=0.2, smoothing=False).to_pylist()
    assert [row["frame"] for row in rows] == [6, 12, 18]
    assert [row["smoothed"] for row in rows] == [None] * 3
    assert all(row["detection"] is not None for row in rows), "frames far apart are all detected in"
    assert all(row["scores_frame"] == row["frame"] for row in rows), "... and their faces all recognised"
    (row,) = recognizer.predict_video(talk, start_s=100).to_pylist()
    assert "no frame between" in row["error"]


def test_images_and_videos_and_broken_ones_make_one_table(
    talk: Path, frame_of, recognizer: mien.Recognizer, tmp_path: Path
) -> None:
    (tmp_path / "b.mp4").write_bytes(talk.read_bytes())
    cut = write_video(tmp_path / "c.mkv", 45, image_of=frame_of, options={"g": "6"})
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (tmp_path / "d.mov").write_bytes(b"nothing")
    Image.fromarray(frame_of(10)).save(tmp_path / "a.png")
    Image.fromarray(frame_of(10)).save(
        tmp_path / "e.gif", save_all=True, append_images=[Image.fromarray(frame_of(14))], duration=200
    )
    absent = tmp_path / "f.mp4"
    rows = recognizer.predict_many([tmp_path, absent, tmp_path / "b.mp4"], fps=10).to_pylist()
    sources = [Path(row["source"]).name for row in rows]
    assert list(dict.fromkeys(sources)) == ["a.png", "b.mp4", "c.mkv", "d.mov", "e.gif", "f.mp4"]
    assert sources.count("b.mp4") == 8, "given twice, read once"
    errors = {Path(row["source"]).name: row["error"] for row in rows if row["error"]}
    assert set(errors) == {"c.mkv", "d.mov", "f.mp4"}
    broken = [row for row in rows if row["source"].endswith("c.mkv")]
    assert len(broken) > 3
    assert [row["error"] is None for row in broken] == [True] * (len(broken) - 1) + [False]
    assert [row["time_s"] for row in rows if row["source"].endswith("e.gif")] == [0.0, 0.2]
    assert [row["track"] for row in rows if row["source"].endswith("e.gif")] == [0, 0]


def test_faces_of_a_video_that_lies_on_its_side_are_detected_all_along(
    frame_of, recognizer: mien.Recognizer, tmp_path: Path
) -> None:
    lying = write_video(tmp_path / "a.mp4", 12, image_of=lambda i: np.rot90(frame_of(10 + i)))
    rows = recognizer.predict_video(lying).to_pylist()
    assert [row["track"] for row in rows] == [0] * 12
    assert all(abs(row["roll_deg"]) > 60 for row in rows)
    upright = with_display_matrix(lying, 0, 1, -1, 0)
    rows = recognizer.predict_video(upright, end_s=0.2).to_pylist()
    assert all(abs(row["roll_deg"]) < 20 for row in rows)


def test_a_video_of_one_face_needs_no_detection(talk: Path, recognizer: mien.Recognizer) -> None:
    rows = recognizer.predict_video(talk, detect=False, start_s=0.4, end_s=0.5).to_pylist()
    assert [(row["track"], row["detection"], row["right"]) for row in rows] == [(0, None, WIDTH)] * 3


def test_frames_stream_with_their_images(talk: Path) -> None:
    frames = mien.stream(talk, every=4)
    first = next(frames)
    assert isinstance(first, mien.VideoFrame)
    assert first.image is not None
    assert first.image.shape == (HEIGHT, WIDTH, 3)
    rest = list(frames)
    assert [frame.frame for frame in rest] == [4, 8, 12, 16, 20]
    assert all(face.smoothed is not None for frame in rest for face in frame.faces)
    assert "track=0" in repr(rest[-1].faces[0])
    with pytest.raises(OptionError):
        mien.stream(talk, fps=2, every=2)
    (broken,) = mien.stream(talk.with_name("absent.mp4"))
    assert broken.error is not None
    assert "error=" in repr(broken)


class Unplugged:
    """A camera that gives a few frames and is unplugged."""

    name = "camera:0"

    def __init__(self, images: list[np.ndarray]) -> None:
        self.images, self.given = images, 0

    def __iter__(self) -> Iterator[Frame]:
        for index, image in enumerate(self.images):
            self.given = index + 1
            yield Frame(index, index / 10, image)
        raise VideoError(self.name, "was unplugged")


def test_a_live_source_is_never_read_ahead_and_ends_with_its_error(frame_of, recognizer: mien.Recognizer) -> None:
    camera = Unplugged([frame_of(10 + i) for i in range(3)])
    for i, result in enumerate(recognizer.frames(camera, live=True), 1):
        assert camera.given == min(i, 3)
        if i <= 3:
            assert result.faces[0].smoothed is not None
            assert result.faces[0].detection is not None
    assert i == 4
    assert result.error == "was unplugged"
    with pytest.raises(OptionError, match="your own source"):
        recognizer.frames(camera, fps=3)


def test_an_annotated_video_plays_in_a_browser(
    talk: Path, table, recognizer: mien.Recognizer, tmp_path: Path
) -> None:
    output = tmp_path / "marked.mp4"
    annotate_video(str(talk), table, output)
    data = output.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "it can play before it is loaded"
    with av.open(str(output)) as file:
        stream, sound = file.streams.video[0], file.streams.audio[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert sound.codec_context.name == "aac"
        frames = list(file.decode(stream))
        assert float(sound.duration * sound.time_base) == pytest.approx(0.8, abs=0.15)
    assert [frame.time for frame in frames] == pytest.approx([i / 30 for i in range(24)], abs=2e-3)
    image = frames[15].to_ndarray(format="rgb24").astype(int)
    row = table.to_pylist()[15]
    edge = image[round(row["top"]) + 20 : round(row["bottom"]) - 20, round(row["left"])].mean(axis=0)
    assert edge == pytest.approx((230, 159, 0), abs=70), "the box has the colour of happiness"
    assert image.shape[0] > HEIGHT, "a strip of the expressions is below"
    assert list(tmp_path.iterdir()) == [output]


def test_a_video_that_cannot_be_annotated_says_so_before_the_work(
    talk: Path, table, recognizer: mien.Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for output, error in (
        (tmp_path / "a.avi", OptionError),
        (tmp_path / "no/a.mp4", OutputError),
        (talk, OutputError),
    ):
        with pytest.raises(error):
            recognizer.predict_video(talk, annotated=output)
    other = tmp_path / "other.mp4"
    other.write_bytes(talk.read_bytes())
    with pytest.raises(InputError, match="has no frame of it"):
        annotate_video(str(other), table, tmp_path / "b.mp4")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(VideoWriter, "write", full)
    with pytest.raises(OutputError, match="disk is full"):
        annotate_video(str(talk), table, tmp_path / "c.mp4")
    assert list(tmp_path.iterdir()) == [other]


def test_tables_read_back_alike(talk: Path, table, recognizer: mien.Recognizer, tmp_path: Path) -> None:
    recognizer.predict_video(talk, output=tmp_path / "a.parquet")
    labels, again = read_columns(tmp_path / "a.parquet")
    assert labels == recognizer.labels
    assert again.equals(table)


def test_small_faces_are_searched_for_once_a_second(
    frame_of, recognizer: mien.Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty wall: one frame of a second is searched in tiles, the others by the cheap passes."""
    tiled = []
    detect_in_tiles = MultiPassDetector._detect_in_tiles

    def counted(detector: MultiPassDetector, image: np.ndarray, todo: list) -> list:
        tiled.append(image.shape)
        return detect_in_tiles(detector, image, todo)

    monkeypatch.setattr(MultiPassDetector, "_detect_in_tiles", counted)
    wall = np.full((400, 700, 3), 120, dtype=np.uint8)
    path = write_video(tmp_path / "a.mp4", [wall] * 12)
    rows = recognizer.predict_video(path).to_pylist()
    assert [row["face"] for row in rows] == [None] * 12
    assert len(tiled) == 4, "once for each way up"


def test_small_faces_seen_by_a_search_are_detected_until_the_next(
    frame_of, recognizer: mien.Recognizer, tmp_path: Path
) -> None:
    """Three faces of 26 pixels in 1300, which the copy does not show."""
    small = np.asarray(Image.fromarray(frame_of(10)[20:170, 20:170]).resize((72, 72)))

    def draw(index: int) -> np.ndarray:
        image = np.full((700, 1300, 3), 120, dtype=np.uint8)
        for left in (200, 600, 1000):
            image[300:372, left + index : left + index + 72] = small
        return image

    path = write_video(tmp_path / "a.mp4", 9, image_of=draw)
    rows = recognizer.predict_video(path).to_pylist()
    assert [sum(row["frame"] == i and row["face"] is not None for row in rows) for i in range(9)] == [3] * 9
    assert {row["track"] for row in rows} == {0, 1, 2}


@pytest.mark.parametrize("failing", [0, 1, 3])
@pytest.mark.parametrize("workers", [1, 2])
def test_what_goes_wrong_in_recognition_ends_the_frames(
    talk: Path, recognizer: mien.Recognizer, monkeypatch: pytest.MonkeyPatch, failing: int, workers: int
) -> None:
    """Spans wait for the key frames that others recognise, but not for ever."""
    calls: list[int] = []
    recognise = recognizer.recognise

    def broken(faces: list) -> list:
        calls.append(len(faces))
        if len(calls) > failing:
            raise RuntimeError("broken")
        return recognise(faces)

    monkeypatch.setattr(recognizer, "recognise", broken)
    with pytest.raises(RuntimeError, match="broken"):
        list(recognizer.frames(talk, images=False, workers=workers))
    monkeypatch.undo()
    frames = recognizer.frames(talk, images=False, workers=workers)
    next(frames)
    frames.close()  # left early
