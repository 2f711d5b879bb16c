"""The frames of a video to their faces: detected in key frames, followed between, recognised where they change.

Decoding, detection and recognition overlap: a source is decoded by a thread of its own, and segments (a key frame
and the frames up to the next) pass through two pools of threads in order: the first detects in their key frames,
the second recognises, a span of one or two segments at a time. All faces of a span's first key frame are
recognised, those of a second one only where they differ from the key frames before and after. What a span gives
does not depend on the others but for the tracks, whose state is kept in checkpoints, so that a resumed run gives
the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mien.errors import VideoError
from mien.faces import Detection
from mien.geometry import Box
from mien.media.frames import Frame, FrameSource
from mien.media.work import in_background, map_bounded
from mien.pipeline.following import Follower, TrackedFace, taken_over
from mien.pipeline.reuse import MOST_APART_S, thumbnail
from mien.pipeline.search import KeyFrameSearch, LastSearch
from mien.pipeline.smoother import Smoother
from mien.pipeline.steady_up import SteadyUp
from mien.pipeline.turns import LocatedFace
from mien.results import Face, VideoFrame
from mien.tracking.appearance import descriptor
from mien.tracking.cuts import CutDetector
from mien.tracking.tracker import Tracker

if TYPE_CHECKING:
    from mien.pipeline.recognizer import Recognizer

KEY_FRAME_S = 0.1  # between detections: every third frame at 24 to 30 frames a second
MOST_FRAMES = 6  # of a segment
SEARCH_S = 1.0  # between searches for faces at any roll and for small ones
SPAN_SEGMENTS = 2
CHECKPOINT_SPANS = 15  # three seconds or more
_SLACK_S = 0.002
_AHEAD = 3  # segments of the first pool, and frames of the decoder, that wait
_SPANS_AHEAD = 2

Checkpoint = dict[str, Any]
T = TypeVar("T")
_NO_IMAGE = np.zeros((0, 0, 3), dtype=np.uint8)


@dataclass(eq=False)
class _Segment:
    """A key frame and the frames up to the next."""

    number: int
    frames: list[Frame]
    cut: bool
    first: bool  # of a span
    search: bool  # for faces at any roll and of any size
    last_search: Future[LastSearch]  # what the last search gave
    searched_s: float | None = None  # when that was
    cuts_after: dict[str, Any] = field(default_factory=dict)
    faces: list[LocatedFace] = field(default_factory=list)
    colours: list[np.ndarray] = field(default_factory=list)
    thumbnails: list[np.ndarray | None] = field(default_factory=list)
    tracked: list[TrackedFace] = field(default_factory=list)
    recognised: Future[list[TrackedFace]] = field(default_factory=Future)  # these, of a span's first key frame
    state: Checkpoint | None = None


@dataclass(frozen=True, eq=False)
class _Span:
    """One or two segments, and the one after them. `begins`: there is no span before."""

    segments: list[_Segment]
    begins: bool
    next: _Segment | None = None


class VideoPredictor:
    """Predicts one source from its beginning or from a checkpoint.

    `live`: every frame is a key frame and given as soon as it is predicted; nothing is read ahead.
    `reuse_scores`: faces may take over scores of frames near theirs (`mien.pipeline.reuse`). `images`: results
    carry their image. `workers`: threads of each pool.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        source: FrameSource,
        *,
        detect: bool = True,
        smoothing: bool = True,
        reuse_scores: bool = True,
        images: bool = False,
        live: bool = False,
        workers: int = 2,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self._recognizer, self._source = recognizer, source
        self._detect, self._smoothing, self._images, self._live = detect, smoothing, images, live
        self._workers, self._reuse = 1 if live else workers, reuse_scores and detect and not live
        self._start = checkpoint or {}
        self._cuts, self._tracker = CutDetector(), Tracker()
        if checkpoint:
            self._cuts.restore(checkpoint["cuts"])
            self._tracker.restore(checkpoint["tracker"])
        self._steady = SteadyUp(recognizer.any_roll, self._start.get("ups"))
        self._smoother = Smoother(wait=not live, history=self._start.get("history"))
        self._search = KeyFrameSearch(recognizer.detector)
        self._follower = Follower(recognizer.landmarker, recognizer.any_roll.measure, reuse_scores=self._reuse)
        self._error: str | None = None

    def __iter__(self) -> Iterator[VideoFrame]:
        """The results in order; an unreadable source ends with one that has an `error`."""
        return (frame for frame, _ in self.with_checkpoints())

    def with_checkpoints(self) -> Iterator[tuple[VideoFrame, Checkpoint | None]]:
        """Results, some with the checkpoint from which the next one follows."""
        ends: dict[int, Checkpoint] = {}
        count = self._start.get("results", 0)
        for span, results in self._recognised():
            for segment in span.segments:
                if segment.state is not None:
                    ends[segment.frames[-1].index] = segment.state
            for result in results:
                for frame in self._smoother.push(result) if self._smoothing else (result,):
                    count += 1
                    yield frame, self._completed(ends.pop(frame.frame or 0, None), frame, count)
        for frame in self._smoother.flush():
            yield frame, None
        if self._error is not None:
            yield VideoFrame(self._source.name, error=self._error), None

    def _completed(self, state: Checkpoint | None, frame: VideoFrame, count: int) -> Checkpoint | None:
        if state is None or frame.time_s is None:
            return None
        history = self._smoother.history(frame.time_s) if self._smoothing else []
        return state | {"index": frame.frame, "time_s": frame.time_s, "results": count, "history": history}

    def _recognised(self) -> Iterator[tuple[_Span, list[VideoFrame]]]:
        located = map_bounded(self._locate, self._segments(), workers=self._workers, ahead=_AHEAD)
        return map_bounded(self._recognise, self._spans(located), workers=self._workers, ahead=_SPANS_AHEAD)

    def _segments(self) -> Iterator[_Segment]:
        """The source in segments; what ends it early is kept as the error."""
        number = self._start.get("segment", -1)
        last, searched_s = _known(LastSearch(**self._start.get("last_search", {}))), self._start.get("searched_s")
        segment: _Segment | None = None
        for frame in self._frames():
            ends = segment and (segment.number + 1) % (SPAN_SEGMENTS * CHECKPOINT_SPANS) == 0
            before = self._cuts.state() if ends else {}
            cut = self._cuts.is_cut(frame.image)
            if segment is not None and not cut and not self._is_full(segment, frame):
                segment.frames.append(frame)
                continue
            if segment is not None:
                segment.cuts_after = before
                yield segment
            search = cut or searched_s is None or frame.time_s - searched_s >= SEARCH_S - _SLACK_S
            if search:
                last, searched_s = Future(), frame.time_s
            number += 1
            first = cut or not self._reuse or number % SPAN_SEGMENTS == 0
            segment = _Segment(number, [frame], cut, first, search, last)
            segment.searched_s = searched_s
            if self._live:
                yield segment
                segment = None
        if segment is not None:
            yield segment

    def _frames(self) -> Iterator[Frame]:
        frames = iter(self._source) if self._live else in_background(self._source, ahead=_AHEAD)
        try:
            yield from frames
        except VideoError as error:
            self._error = error.reason

    def _is_full(self, segment: _Segment, frame: Frame) -> bool:
        seconds = frame.time_s - segment.frames[0].time_s
        return not self._detect or seconds >= KEY_FRAME_S - _SLACK_S or len(segment.frames) >= MOST_FRAMES

    def _locate(self, segment: _Segment) -> _Segment:
        """The faces of the key frame, and what they look like."""
        image = segment.frames[0].image
        segment.faces = self._located(segment, image)
        segment.thumbnails = [self._thumbnail(image, face) for face in segment.faces]
        if self._detect:
            segment.colours = [descriptor(image, face.landmarks) for face in segment.faces]
        return segment

    def _thumbnail(self, image: np.ndarray, face: LocatedFace) -> np.ndarray | None:
        """What faces of other frames are compared with."""
        return thumbnail(image, face) if self._detect and not self._live else None

    def _located(self, segment: _Segment, image: np.ndarray) -> list[LocatedFace]:
        any_roll = self._recognizer.any_roll
        if not self._detect:
            height, width = image.shape[:2]
            return any_roll.locate_boxes(image, [Box(0, 0, width, height)])
        if segment.search:
            faces: list[LocatedFace] = []
            _set(segment.last_search, partial(self._searched, image, faces))
            return faces
        last = segment.last_search.result()
        quickly = partial(self._search.quickly, small=last.small)
        return any_roll.detect(image, quickly) if last.sideways else any_roll.locate(image, quickly(image))

    def _searched(self, image: np.ndarray, faces: list[LocatedFace]) -> LastSearch:
        """Add the faces at any roll and of any size."""
        tiled: list[bool] = []

        def detections_in(rotated: np.ndarray) -> list[Detection]:
            faces, small = self._search.everything(rotated)
            tiled.append(small)
            return faces

        faces += self._recognizer.any_roll.detect(image, detections_in)
        upright = any(face.known and not face.turns for face in faces)
        sideways = not upright and any(face.known for face in faces)
        return LastSearch(sideways, any(tiled))

    def _spans(self, segments: Iterator[_Segment]) -> Iterator[_Span]:
        """The segments with the tracks of their key frames."""
        span: list[_Segment] = []
        begins = True
        for segment in segments:
            segment.tracked = self._tracked(segment)
            if segment.cuts_after:
                segment.state = {
                    "segment": segment.number, "cuts": segment.cuts_after, "tracker": self._tracker.state(),
                    "last_search": asdict(segment.last_search.result()), "searched_s": segment.searched_s,
                    "ups": self._steady.state(),
                }  # fmt: skip
            if span and segment.first:
                yield _Span(span, begins, segment)
                span, begins = [], False
            span.append(segment)
            if self._live:
                yield _Span(span, True)
                span = []
        if span:
            yield _Span(span, begins)

    def _tracked(self, segment: _Segment) -> list[TrackedFace]:
        boxes = [face.detection.box for face in segment.faces]
        if self._detect:
            numbers = self._tracker.update(segment.frames[0].time_s, boxes, segment.colours, cut=segment.cut)
        else:
            numbers = [0] * len(boxes)
        image = segment.frames[0].image
        tracked = []
        for track, face, small in zip(numbers, segment.faces, segment.thumbnails, strict=True):
            kept = self._steady.keep(track, image, face)
            small = small if kept is face else self._thumbnail(image, kept)
            tracked.append(TrackedFace(track, kept, self._detect, None, small))
        return tracked

    def _recognise(self, span: _Span) -> tuple[_Span, list[VideoFrame]]:
        """The results of a span, not yet smoothed."""
        first, *others = span.segments
        if span.next is not None:  # before anything fails here: the next span waits for it
            _set(span.next.recognised, partial(self._key_recognised, span.next))
        if span.begins:
            _set(first.recognised, partial(self._key_recognised, first))
        first.tracked = first.recognised.result()
        after = span.next.recognised.result() if span.next is not None and not span.next.cut else []
        after_s = span.next.frames[0].time_s if span.next is not None else 0.0
        for segment in others:
            if after_s - first.frames[0].time_s <= MOST_APART_S:
                segment.tracked = taken_over(segment.tracked, first.tracked, after)
            segment.tracked = self._key_recognised(segment)
        ends = [*((each.tracked, each.frames[0].time_s) for each in others), (after, after_s)]
        frames: list[Frame] = []
        groups: list[list[TrackedFace]] = []
        for segment, end in zip(span.segments, ends, strict=True):
            frames += segment.frames
            groups += [segment.tracked, *self._follower.between(segment.frames, segment.tracked, *end)]
        results = []
        for frame, group in zip(frames, self._all_recognised(frames, groups), strict=True):
            ordered = tuple(sorted(map(_named, group), key=lambda face: -face.box.area))
            image = frame.image if self._images else None
            results.append(
                VideoFrame(self._source.name, ordered, frame=frame.index, time_s=frame.time_s, image=image)
            )
        for segment in span.segments:  # memory for the next ones
            segment.frames = [replace(frame, image=_NO_IMAGE) for frame in segment.frames]
        return span, results

    def _key_recognised(self, segment: _Segment) -> list[TrackedFace]:
        """The faces of a key frame, those without scores recognised: always the same batch."""
        (faces,) = self._all_recognised(segment.frames[:1], [segment.tracked])
        return faces

    def _all_recognised(
        self, frames: Sequence[Frame], groups: Sequence[list[TrackedFace]]
    ) -> list[list[TrackedFace]]:
        """The faces of each frame, those without scores recognised: one batch."""
        unknown = [
            (frame.image, each.located)
            for frame, group in zip(frames, groups, strict=True)
            for each in group
            if each.face is None
        ]
        recognised = iter(self._recognizer.recognise(unknown))
        return [
            [
                each
                if each.face is not None
                else replace(each, face=replace(next(recognised), scores_frame=frame.index))
                for each in group
            ]
            for frame, group in zip(frames, groups, strict=True)
        ]


def _named(tracked: TrackedFace) -> Face:
    if tracked.face is None:
        raise RuntimeError("the face was not recognised")
    return replace(
        tracked.face, track=tracked.track, detection=tracked.face.detection if tracked.detected else None
    )


def _known(value: LastSearch) -> Future[LastSearch]:
    future: Future[LastSearch] = Future()
    future.set_result(value)
    return future


def _set(future: Future[T], compute: Callable[[], T]) -> None:
    """Give those who wait what is computed, or what goes wrong with it, which is raised here too."""
    try:
        future.set_result(compute())
    except BaseException as error:
        future.set_exception(error)
        raise
