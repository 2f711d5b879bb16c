"""H.264 that is stored in another order than it is shown, in containers that state only the first."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from mien.media.grab import frames_at
from mien.media.stored_order import StoredTimes
from mien.media.video import VideoFile
from tests.media.videos import number_of, read, write_video

STREAMS = {
    "without b-frames": {"bf": "0"},
    "b-frames": {"bf": "2"},
    "open groups": {"g": "12", "bf": "3", "x264-params": "open-gop=1:b-pyramid=2"},
}


@pytest.mark.parametrize("suffix", ["avi", "wmv"])
@pytest.mark.parametrize("options", STREAMS.values(), ids=STREAMS)
def test_frames_and_times_are_those_of_the_same_video_as_mp4(
    tmp_path: Path, suffix: str, options: dict[str, str]
) -> None:
    (frames, error), (same, _) = (
        read(write_video(tmp_path / f"a.{kind}", 60, fps=25, options=options)) for kind in (suffix, "mp4")
    )
    assert error is None
    assert [number_of(frame.image) for frame in frames[:50]] == list(range(50))
    assert [frame.index for frame in frames] == [frame.index for frame in same]
    assert [frame.time_s for frame in frames] == pytest.approx([frame.time_s for frame in same], abs=1e-3)


@pytest.mark.parametrize("suffix", ["avi", "wmv"])
def test_single_frames_are_those_of_their_times(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"a.{suffix}", 40, options={"bf": "3", "g": "10"})
    times = [frame.time_s for frame in VideoFile(path)]
    grabbed = list(frames_at(path, [times[i] for i in (31, 3, 12, 13)]))
    assert [number_of(image) for _, image in grabbed] == [3, 12, 13, 31]


def test_fields_in_packets_of_their_own_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packets a frame: nothing says at which of their times it is shown."""
    made = write_video(tmp_path / "a.avi", 40, options={"bf": "2"})
    sent = StoredTimes.sent

    def twice(self: StoredTimes, packet: av.Packet) -> None:
        sent(self, packet)
        if packet.size:
            sent(self, SimpleNamespace(dts=packet.dts + 1, size=1, is_keyframe=False))

    monkeypatch.setattr(StoredTimes, "sent", twice)
    frames, error = read(made)
    assert len(frames) < 20
    assert error is not None
    assert error.startswith("is in a container that does not say when frames are shown; convert it")
