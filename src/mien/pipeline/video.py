"""The frames of a video to their faces: detected in key frames, followed between, recognised where they change.

Decoding, detection and recognition overlap: a source is decoded by a thread of its own, and segments (a key frame
and the frames up to the next) pass through two pools of threads in order. What a segment gives does not depend on
the others but for the tracks, whose state is kept in checkpoints, so that a resumed run gives the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import VideoError
from mien.faces import Detection
from mien.geometry import Box
from mien.media.frames import Frame, FrameSource
from mien.media.work import in_background, map_bounded
from mien.pipeline.following import Follower, TrackedFace
from mien.pipeline.reuse import moved, thumbnail
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
CHECKPOINT_SEGMENTS = 30  # three seconds or more
_SLACK_S = 0.002
_AHEAD = 3  # segments of each pool, and frames of the decoder, that wait

Checkpoint = dict[str, Any]
_NO_IMAGE = np.zeros((0, 0, 3), dtype=np.uint8)


@dataclass(eq=False)
class _Segment:
    """A key frame and the frames up to the next."""

    number: int
    frames: list[Frame]
    cut: bool
    search: bool  # for faces at any roll and of any size
    last_search: Future[LastSearch]  # what the last search gave
    searched_s: float | None = None  # when that was
    cuts_after: dict[str, Any] = field(default_factory=dict)
    faces: list[LocatedFace] = field(default_factory=list)
    colours: list[np.ndarray] = field(default_factory=list)
    recognised: list[Face] = field(default_factory=list)
    tracked: list[TrackedFace] = field(default_factory=list)
    following: list[TrackedFace] = field(default_factory=list)  # in the next key frame of this shot
    following_s: float = 0.0
    state: Checkpoint | None = None


class VideoPredictor:
    """Predicts one source from its beginning or from a checkpoint.

    `live`: every frame is a key frame and given as soon as it is predicted; nothing is read ahead.
    `reuse_scores`: faces between key frames may take over scores (`mien.pipeline.reuse`). `images`: results carry
    their image. `workers`: threads of each pool.
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
        self._search = KeyFrameSearch(recognizer)
        self._follower = Follower(recognizer.landmarker, recognizer.any_roll.measure)
        self._error: str | None = None

    def __iter__(self) -> Iterator[VideoFrame]:
        """The results in order; an unreadable source ends with one that has an `error`."""
        return (frame for frame, _ in self.with_checkpoints())

    def with_checkpoints(self) -> Iterator[tuple[VideoFrame, Checkpoint | None]]:
        """Results, some with the checkpoint from which the next one follows."""
        ends: dict[int, Checkpoint] = {}
        count = self._start.get("results", 0)
        for segment, results in self._recognised():
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

    def _recognised(self) -> Iterator[tuple[_Segment, list[VideoFrame]]]:
        located = map_bounded(self._locate, self._segments(), workers=self._workers, ahead=_AHEAD)
        return map_bounded(self._recognise, self._track(located), workers=self._workers, ahead=_AHEAD)

    def _segments(self) -> Iterator[_Segment]:
        """The source in segments; what ends it early is kept as the error."""
        number = self._start.get("segment", -1)
        last, searched_s = _known(LastSearch(**self._start.get("last_search", {}))), self._start.get("searched_s")
        segment: _Segment | None = None
        for frame in self._frames():
            before = self._cuts.state() if segment and (segment.number + 1) % CHECKPOINT_SEGMENTS == 0 else {}
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
            segment = _Segment(number, [frame], cut, search, last)
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
        """The faces of the key frame, recognised."""
        image = segment.frames[0].image
        segment.faces = self._located(segment, image)
        if self._detect:
            segment.colours = [descriptor(image, face.landmarks) for face in segment.faces]
        segment.recognised = self._recognizer.recognise([(image, face) for face in segment.faces])
        return segment

    def _located(self, segment: _Segment, image: np.ndarray) -> list[LocatedFace]:
        any_roll = self._recognizer.any_roll
        if not self._detect:
            height, width = image.shape[:2]
            return any_roll.locate(image, [Detection(Box(0, 0, width, height), 1.0)])
        if segment.search:
            try:
                faces, last = self._searched(image)
            except BaseException as error:
                segment.last_search.set_exception(error)
                raise
            segment.last_search.set_result(last)
            return faces
        last = segment.last_search.result()
        quickly = partial(self._search.quickly, small=last.small)
        return any_roll.detect(image, quickly) if last.sideways else any_roll.locate(image, quickly(image))

    def _searched(self, image: np.ndarray) -> tuple[list[LocatedFace], LastSearch]:
        """The faces at any roll and of any size."""
        tiled: list[bool] = []

        def detections_in(rotated: np.ndarray) -> list[Detection]:
            faces, small = self._search.everything(rotated)
            tiled.append(small)
            return faces

        faces = self._recognizer.any_roll.detect(image, detections_in)
        upright = any(face.known and not face.turns for face in faces)
        sideways = not upright and any(face.known for face in faces)
        return faces, LastSearch(sideways, any(tiled))

    def _track(self, segments: Iterator[_Segment]) -> Iterator[_Segment]:
        """Each segment with the tracks of its key frame and of the next one."""
        before: _Segment | None = None
        for segment in segments:
            segment.tracked = self._tracked(segment)
            if segment.cuts_after:
                segment.state = {
                    "segment": segment.number, "cuts": segment.cuts_after, "tracker": self._tracker.state(),
                    "last_search": asdict(segment.last_search.result()), "searched_s": segment.searched_s,
                    "ups": self._steady.state(),
                }  # fmt: skip
            if before is not None:
                before.following = [] if segment.cut else segment.tracked
                before.following_s = segment.frames[0].time_s
                yield before
            before = segment
            if self._live:
                yield segment
                before = None
        if before is not None:
            yield before

    def _tracked(self, segment: _Segment) -> list[TrackedFace]:
        boxes = [face.detection.box for face in segment.faces]
        if self._detect:
            numbers = self._tracker.update(segment.frames[0].time_s, boxes, segment.colours, cut=segment.cut)
        else:
            numbers = [0] * len(boxes)
        faces = zip(numbers, segment.faces, segment.recognised, strict=True)
        return [self._key_face(segment.frames[0], *face) for face in faces]

    def _key_face(self, frame: Frame, track: int, located: LocatedFace, face: Face) -> TrackedFace:
        """A face of a key frame, the way up of its track."""
        kept = self._steady.keep(track, frame.image, located)
        if kept is not located:
            (face,) = self._recognizer.recognise([(frame.image, kept)])
        small = thumbnail(frame.image, kept) if self._reuse else None
        return TrackedFace(track, kept, self._detect, replace(face, scores_frame=frame.index), small)

    def _recognise(self, segment: _Segment) -> tuple[_Segment, list[VideoFrame]]:
        """The results of a segment, not yet smoothed."""
        frames = segment.frames
        between = self._follower.between(frames, segment.tracked, segment.following, segment.following_s)
        groups = [segment.tracked, *between]
        changed = [(frame.image, each.located) for frame, group in zip(frames, groups, strict=True)
                   for each in group if each.face is None]  # fmt: skip
        recognised = iter(self._recognizer.recognise(changed))
        results = []
        for frame, group in zip(frames, groups, strict=True):
            named = [
                _named(each, each.face or replace(next(recognised), scores_frame=frame.index)) for each in group
            ]
            ordered = tuple(sorted(named, key=lambda face: -face.box.area))
            image = frame.image if self._images else None
            results.append(
                VideoFrame(self._source.name, ordered, frame=frame.index, time_s=frame.time_s, image=image)
            )
        segment.frames = [replace(frame, image=_NO_IMAGE) for frame in frames]  # memory for the next ones
        return segment, results


def _named(tracked: TrackedFace, face: Face) -> Face:
    face = moved(face, tracked.located) if tracked.face is not None and not tracked.detected else face
    return replace(face, track=tracked.track, detection=face.detection if tracked.detected else None)


def _known(value: LastSearch) -> Future[LastSearch]:
    future: Future[LastSearch] = Future()
    future.set_result(value)
    return future
