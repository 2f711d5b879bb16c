"""A track's way up against single key frames that say otherwise."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

import mien
from mien.faces.roll import up_deg
from mien.pipeline.steady_up import SteadyUp
from mien.pipeline.turns import LocatedFace


def up(face: LocatedFace) -> int:
    """To the nearest quarter turn, in degrees clockwise."""
    return round(float(up_deg(face.landmarks[None])[0]) / 90) % 4 * 90


def test_one_key_frame_does_not_turn_a_track_and_two_do(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    steady = SteadyUp(recognizer.any_roll)
    (right,) = recognizer.any_roll.detect(astronaut, recognizer.detections)
    turned = replace(recognizer.any_roll.locate_at(astronaut, right.detection, 2), margin=0.6)  # so it might seem
    assert [up(right), up(turned)] == [0, 180]

    assert steady.keep(7, astronaut, right) is right
    held = steady.keep(7, astronaut, turned)
    assert up(held) == 0
    assert up(steady.keep(7, astronaut, right)) == 0
    assert up(steady.keep(7, astronaut, turned)) == 0  # the one before the last counts no more
    resumed = SteadyUp(recognizer.any_roll, json.loads(json.dumps(steady.state())))
    assert resumed.keep(7, astronaut, turned) is turned
    assert up(resumed.keep(7, astronaut, right)) == 180

    assert steady.keep(8, astronaut, turned) is turned  # another track


def test_a_face_that_is_held_against_its_image_is_unknown(
    recognizer: mien.Recognizer, astronaut: np.ndarray
) -> None:
    upside_down = np.ascontiguousarray(astronaut[::-1, ::-1])
    steady = SteadyUp(recognizer.any_roll)
    (right,) = recognizer.any_roll.detect(astronaut, recognizer.detections)
    (turned,) = recognizer.any_roll.detect(upside_down, recognizer.detections)
    steady.keep(0, astronaut, right)
    held = steady.keep(0, upside_down, turned)
    assert not held.known
    assert steady.keep(0, upside_down, turned) is turned


def test_a_face_of_unknown_up_never_turns_its_track(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    steady = SteadyUp(recognizer.any_roll)
    (right,) = recognizer.any_roll.detect(astronaut, recognizer.detections)
    unknown = replace(recognizer.any_roll.locate_at(astronaut, right.detection, 2), margin=0.0)
    steady.keep(0, astronaut, right)
    assert [up(steady.keep(0, astronaut, unknown)) for _ in range(3)] == [0, 0, 0]
