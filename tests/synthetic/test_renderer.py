"""The renderer draws what the numbers say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from mien.faces.pose import head_pose
from mien.geometry import rotation_matrix
from mien.synthetic.face_model import SKIN, FaceModel
from mien.synthetic.identity import Identity, IdentitySampler

pytest.importorskip("pyvista", reason="rendering needs PyVista, which is large: pip install 'mien[render]'")

from mien.synthetic.renderer import Light, Renderer, View

PLAIN = View(
    yaw_deg=0.0,
    pitch_deg=0.0,
    roll_deg=0.0,
    distance_cm=80.0,
    margin=1.6,
    shift=(0.0, 0.0),
    lights=(Light(towards=(0.0, -0.3, -1.0), colour=(1.0, 1.0, 1.0), strength=0.7),),
    ambient=0.4,
    backdrop=np.array([[[0.0, 255.0, 0.0]]]),
)
Stage = tuple[Renderer, Identity]


@pytest.fixture(scope="module")
def stage(fabricated_model: FaceModel) -> Iterator[Stage]:
    yield from _stage(fabricated_model)


@pytest.fixture(scope="module")
def real_stage(real_model: FaceModel) -> Iterator[Stage]:
    yield from _stage(real_model)


def _stage(model: FaceModel) -> Iterator[Stage]:
    renderer = Renderer(model, 96)
    identity = IdentitySampler(model).sample(np.random.default_rng(0))
    renderer.set_identity(identity)
    renderer.set_shape(identity.neutral)
    yield renderer, identity
    renderer.close()


@pytest.mark.parametrize("pose", [(0, 0, 0), (50, 0, 0), (-90, 20, 0), (30, -25, 10)])
def test_the_drawn_head_lies_where_its_points_are_projected(stage: Stage, pose: tuple[float, ...]) -> None:
    renderer, identity = stage
    yaw, pitch, roll = pose
    rendered = renderer.render(replace(PLAIN, yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll, shift=(0.05, -0.08)))
    posed = identity.neutral @ rotation_matrix(yaw, pitch, roll).T
    # The projection is not asked of the renderer: it is what takes these points to those pixels.
    pivot = rotation_matrix(yaw, pitch, roll) @ [0, 0, -2.0]
    away = posed - pivot + [0, 0, 80.0]
    flat = away[:, :2] / away[:, 2:]
    known = flat[renderer.model.landmarks]
    scale = np.ptp(rendered.landmarks, axis=0) / np.ptp(known, axis=0)
    assert scale[0] == pytest.approx(scale[1], rel=1e-4)
    spots = (flat - known.mean(axis=0)) * scale + rendered.landmarks.mean(axis=0)
    green = (rendered.image[:, :, 1] > 200) & (rendered.image[:, :, 0] < 60)
    rows, columns = (np.flatnonzero(~green.all(axis=axis)) for axis in (1, 0))
    low, high = spots[SKIN].min(axis=0).clip(0), spots[SKIN].max(axis=0).clip(None, 96)
    np.testing.assert_allclose([columns[0], rows[0]], low, atol=1.2)
    np.testing.assert_allclose([columns[-1] + 1, rows[-1] + 1], high, atol=1.2)


def test_turned_right_shows_the_nose_at_the_right_and_hides_the_left_jaw(stage: Stage) -> None:
    rendered = stage[0].render(replace(PLAIN, yaw_deg=60.0))
    assert rendered.landmarks[30, 0] > rendered.landmarks[[36, 45], 0].mean()
    assert rendered.visible[[1, 2, 3]].all()
    assert not rendered.visible[[13, 14, 15]].any()


def test_the_face_box_has_the_wanted_share_of_the_image(stage: Stage) -> None:
    for yaw in (-90.0, -45.0, 0.0, 90.0):
        box = stage[0].render(replace(PLAIN, yaw_deg=yaw)).box
        assert max(box.width, box.height) * 1.6 == pytest.approx(96, abs=0.01)
        assert box.centre == pytest.approx((48, 48), abs=0.01)


def test_the_same_view_gives_the_same_bytes(stage: Stage) -> None:
    first = stage[0].render(PLAIN).image
    stage[0].render(replace(PLAIN, yaw_deg=45.0, ambient=0.9))
    np.testing.assert_array_equal(stage[0].render(PLAIN).image, first)


def test_a_lamp_lights_the_side_it_stands_on(stage: Stage) -> None:
    light = Light(towards=(1.0, 0.0, -0.3), colour=(1.0, 1.0, 1.0), strength=0.9)
    image = stage[0].render(replace(PLAIN, lights=(light,), ambient=0.1)).image.astype(float)
    assert image[40:60, 52:64].mean() > 1.3 * image[40:60, 32:44].mean()


@pytest.mark.parametrize("pose", [(0, 0), (30, 10), (-45, -10), (50, 0)])
def test_landmarks_tell_the_pose_that_was_set(real_stage: Stage, pose: tuple[float, float]) -> None:
    rendered = real_stage[0].render(
        replace(PLAIN, yaw_deg=pose[0], pitch_deg=pose[1], roll_deg=8.0, distance_cm=200.0)
    )
    found = head_pose(rendered.landmarks)
    assert found.yaw_deg == pytest.approx(pose[0], abs=8)
    assert found.pitch_deg == pytest.approx(pose[1], abs=12)
    assert found.roll_deg == pytest.approx(8.0, abs=5)


def test_pupils_are_dark_and_skin_is_not(real_stage: Stage) -> None:
    renderer, _ = real_stage
    image = renderer.render(replace(PLAIN, margin=1.1)).image.astype(float).mean(axis=2)
    spots = renderer.render(replace(PLAIN, margin=1.1)).landmarks
    for eye, cheek in ((slice(36, 42), 31), (slice(42, 48), 35)):
        x, y = spots[eye].mean(axis=0).astype(int)
        cheek_x, cheek_y = (spots[cheek] + [-6 if cheek == 31 else 6, -4]).astype(int)
        assert image[y - 1 : y + 2, x - 1 : x + 2].min() < 0.6 * image[cheek_y, cheek_x]
