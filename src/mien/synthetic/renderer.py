"""One face before one camera: pose, light, backdrop, image, and where the landmarks fall.

PyVista draws off screen. The camera stands at the origin and looks along +z; the head is turned and pushed away, so
that the matrix that poses the head is the one that projects the landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from mien.errors import MissingPackageError
from mien.geometry import Box, rotation_matrix
from mien.synthetic.face_model import EYE_SHADES, EYES, GUMS, LASHES, SKIN, TEAR_DUCTS, TEETH, FaceModel
from mien.synthetic.identity import Identity, vertex_normals

_PIVOT = np.array([0.0, 0.0, -2.0])  # the head turns around a place between the ears
_REACH = 32.0  # no vertex is further from it


@dataclass(frozen=True, kw_only=True)
class Light:
    """A light from far away."""

    towards: tuple[float, float, float]  # from the head to the light, in camera axes
    colour: tuple[float, float, float]  # 0..1
    strength: float


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """How one image is taken. Angles as in docs/concepts/conventions.md."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    distance_cm: float
    margin: float  # side of the image in sides of the face box
    shift: tuple[float, float]  # of the face box's centre, in sides of the image
    lights: tuple[Light, ...]
    ambient: float
    backdrop: np.ndarray  # (h, w, 3) float 0..255, stretched to the image


@dataclass(frozen=True, eq=False)
class RenderedFace:
    """An image and what is known of it."""

    image: np.ndarray  # (size, size, 3) uint8
    landmarks: np.ndarray  # (68, 2) pixels
    visible: np.ndarray  # (68,) bool: not hidden behind other parts of the head
    box: Box  # of the face, forehead to chin, in pixels


def draw_view(rng: np.random.Generator, *, yaw_deg: float, yaw_jitter: float, pitch_limit: float) -> View:
    """A view near a yaw, everything else by chance."""
    lights = [_draw_light(rng, 1.0, wide=60.0)]
    for _ in range(rng.integers(0, 3)):
        lights.append(_draw_light(rng, rng.uniform(0.15, 0.6), wide=110.0))
    ambient = rng.uniform(0.25, 0.8)
    exposure = rng.uniform(0.9, 1.3) / (ambient + 0.8 * sum(light.strength for light in lights))
    yaw = float(np.clip(yaw_deg + rng.uniform(-yaw_jitter, yaw_jitter), -90, 90))
    return View(
        yaw_deg=round(yaw, 2),
        pitch_deg=round(float(rng.uniform(-pitch_limit, pitch_limit)), 2),
        roll_deg=round(float(np.clip(rng.normal(0.0, 5.0), -15, 15)), 2),
        distance_cm=float(np.exp(rng.uniform(np.log(40), np.log(200)))),
        margin=float(rng.uniform(1.12, 1.28)),
        shift=(float(rng.normal(0, 0.015)), float(rng.normal(0, 0.015))),
        lights=tuple(replace(light, strength=float(light.strength * exposure)) for light in lights),
        ambient=float(ambient * exposure),
        backdrop=_backdrop(rng),
    )


def _draw_light(rng: np.random.Generator, strength: float, *, wide: float) -> Light:
    """A light within an angle of the camera's, rather from above, warm to cold."""
    turn = np.deg2rad(rng.uniform(-wide, wide))
    lift = np.deg2rad(rng.uniform(-20, 60))
    warm = rng.normal(0.0, 0.06)
    colour = np.clip(np.array([1 + warm, 1 + rng.normal(0, 0.015), 1 - warm]), 0.6, 1.3)
    towards = (np.cos(lift) * np.sin(turn), -np.sin(lift), -np.cos(lift) * np.cos(turn))
    red, green, blue = (float(part) for part in colour / colour.max())
    return Light(
        towards=(float(towards[0]), float(towards[1]), float(towards[2])),
        colour=(red, green, blue),
        strength=float(strength),
    )


def _backdrop(rng: np.random.Generator) -> np.ndarray:
    """Plain, a gradient, or blurred blobs."""
    kind = rng.integers(3)
    base = np.clip(rng.uniform(15, 245) + rng.normal(0, 18, 3), 0, 255)
    if kind == 0:
        return base[None, None]
    if kind == 1:
        other = np.clip(base + rng.normal(0, 70) + rng.normal(0, 20, 3), 0, 255)
        return base + rng.random((2, 2, 1)) * (other - base)
    side = int(rng.integers(3, 12))
    return np.clip(base + rng.normal(0, 45, (side, side, 1)) + rng.normal(0, 12, (side, side, 3)), 0, 255)


class Renderer:
    """One off-screen window for many images. Set an identity and a shape, then render views of it."""

    def __init__(self, model: FaceModel, size_px: int) -> None:
        try:
            import pyvista
            from vtkmodules.vtkCommonCore import vtkLogger
            from vtkmodules.vtkCommonMath import vtkMatrix4x4
        except ImportError:
            raise MissingPackageError("Rendering faces", "PyVista", "render") from None
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_ERROR)  # it warns of every window system it tries
        self.model, self.size_px = model, size_px
        self._over = 2 if size_px <= 512 else 1  # pixels are drawn finer, then averaged
        side = size_px * self._over
        self._plotter = pyvista.Plotter(off_screen=True, window_size=[side, side], lighting="none")
        self._plotter.renderer.SetAutomaticLightCreation(False)
        self._window = self._plotter.render_window
        self._window.SetMultiSamples(0)
        self._matrix = vtkMatrix4x4()
        self._skin = _Part(model, [SKIN], textured=True)
        self._solid = _Part(model, [GUMS, TEETH, *EYES, TEAR_DUCTS])
        self._film = _Part(model, [EYE_SHADES, LASHES])
        self._actors = []
        for part, shine in ((self._skin, 0.12), (self._solid, 0.5), (self._film, 0.0)):
            mapper = pyvista.DataSetMapper(part.mesh)
            mapper.interpolate_before_map = False
            actor = pyvista.Actor(mapper=mapper)
            actor.prop.interpolation = "Phong"
            actor.prop.color = "white"
            actor.prop.specular, actor.prop.specular_power = shine, 18.0 if part is self._skin else 60.0
            mapper.scalar_visibility = not part.textured
            if not part.textured:
                mapper.SetScalarModeToUsePointFieldData()
                mapper.SelectColorArray("colours")
                mapper.SetColorModeToDirectScalars()
            actor.SetUserMatrix(self._matrix)
            self._plotter.add_actor(actor, reset_camera=False, render=False)
            self._actors.append(actor)
        self._actors[2].ForceTranslucentOn()
        self._lights = [pyvista.Light(light_type="scene light") for _ in range(3)]
        for light in self._lights:
            light.positional = False
            self._plotter.add_light(light)
        camera = self._plotter.camera
        camera.position, camera.focal_point, camera.up = (0, 0, 0), (0, 0, 1), (0, -1, 0)
        face = model.neutral
        front = (face[:, 2] < -2.0) & (face[:, 1] > -9.0) & (face[:, 1] < 7.6)
        front[9409:] = False
        self._front = np.flatnonzero(front)
        self._texture: Any = pyvista.Texture
        self._vertices = face

    def close(self) -> None:
        """Give the window back."""
        self._plotter.close()

    def set_identity(self, identity: Identity) -> None:
        """The colours of the next faces."""
        texture = self._texture(identity.texture)
        texture.InterpolateOn()
        texture.MipmapOn()
        self._actors[0].texture = texture
        for part in (self._solid, self._film):
            part.mesh.point_data["colours"] = identity.colours[part.source]

    def set_shape(self, vertices: np.ndarray) -> None:
        """The shape (26719, 3) of the next images."""
        self._vertices = vertices
        normals = vertex_normals(vertices, self.model.quads)
        for part in (self._skin, self._solid, self._film):
            part.move(vertices, normals)

    def render(self, view: View) -> RenderedFace:
        """One image of the face in its present shape."""
        rotation = rotation_matrix(view.yaw_deg, view.pitch_deg, view.roll_deg)
        away = np.array([0.0, 0.0, view.distance_cm]) - rotation @ _PIVOT
        side = self.size_px * self._over
        flat = _project(self._vertices[self._front] @ rotation.T + away)
        low, high = flat.min(axis=0), flat.max(axis=0)
        focal = side / ((high - low).max() * view.margin)  # in drawn pixels
        middle = side * (0.5 + np.array(view.shift)) - focal * (low + high) / 2
        self._aim(rotation, away, focal, middle, side, view.distance_cm)
        self._light(view)
        self._window.Render()
        drawn = np.asarray(self._plotter.screenshot(None, return_img=True))[:, :, :3]
        near, far = self._plotter.camera.clipping_range
        raw = self._depth(side)
        depth = near * far / (far - raw * (far - near))
        posed = self._vertices[self.model.landmarks] @ rotation.T + away
        spots = _project(posed) * focal + middle
        return RenderedFace(
            self._composed(drawn, raw < 1.0, view.backdrop),
            spots / self._over,
            _seen(spots, posed[:, 2], depth),
            Box(
                *(
                    (part * focal + shift) / self._over
                    for part, shift in zip((*low, *high), (*middle, *middle), strict=True)
                )
            ),
        )

    def _aim(
        self, rotation: np.ndarray, away: np.ndarray, focal: float, middle: np.ndarray, side: int, distance: float
    ) -> None:
        for i in range(3):
            for j in range(3):
                self._matrix.SetElement(i, j, rotation[i, j])
            self._matrix.SetElement(i, 3, away[i])
        camera = self._plotter.camera
        camera.view_angle = float(np.rad2deg(2 * np.arctan(side / 2 / focal)))
        camera.SetWindowCenter(1 - 2 * middle[0] / side, 2 * middle[1] / side - 1)
        camera.clipping_range = (max(distance - _REACH, 1.0), distance + _REACH)

    def _light(self, view: View) -> None:
        for source, light in zip(self._lights, (*view.lights, None, None), strict=False):
            source.on = light is not None
            if light is not None:
                source.position, source.focal_point = light.towards, (0, 0, 0)
                source.diffuse_color = source.specular_color = light.colour
                source.intensity = light.strength
        for actor in self._actors:
            actor.prop.ambient = view.ambient

    def _depth(self, side: int) -> np.ndarray:
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkFloatArray

        values = vtkFloatArray()
        self._window.GetZbufferData(0, 0, side - 1, side - 1, values)
        return np.asarray(vtk_to_numpy(values)).reshape(side, side)[::-1]

    def _composed(self, drawn: np.ndarray, solid: np.ndarray, backdrop: np.ndarray) -> np.ndarray:
        """The head cut out at the drawn size, laid on its backdrop, averaged down."""
        n, over = self.size_px, self._over
        share = solid.reshape(n, over, n, over).mean(axis=(1, 3))[:, :, None]
        head = (drawn * solid[:, :, None]).reshape(n, over, n, over, 3).mean(axis=(1, 3))
        cells = backdrop.astype(np.uint8)
        behind = np.asarray(Image.fromarray(cells).resize((n, n), Image.Resampling.BICUBIC), float)
        return (head + (1 - share) * behind).round().clip(0, 255).astype(np.uint8)


class _Part:
    """Some vertex ranges of the model as a mesh of triangles of their own."""

    def __init__(self, model: FaceModel, ranges: list[slice], *, textured: bool = False) -> None:
        import pyvista

        self.textured = textured
        inside = np.zeros(len(model.neutral), bool)
        for part in ranges:
            inside[part] = True
        chosen = inside[model.quads].all(axis=1)
        quads = model.quads[chosen]
        if textured:  # a vertex on a seam stands once for each of its places in the texture
            pairs = np.stack([quads.ravel(), model.quads_uv[chosen].ravel()], axis=1)
            unique, index = np.unique(pairs, axis=0, return_inverse=True)
            self.source = unique[:, 0]
        else:
            self.source, index = np.unique(quads.ravel(), return_inverse=True)
        corners = index.reshape(-1, 4)
        triangles = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
        faces = np.concatenate([np.full((len(triangles), 1), 3), triangles], axis=1).ravel()
        self.mesh = pyvista.PolyData(model.neutral[self.source], faces)
        self.mesh.point_data["Normals"] = np.zeros((len(self.source), 3), np.float32)
        self.mesh.point_data.active_normals_name = "Normals"
        if textured:
            self.mesh.active_texture_coordinates = model.uv[unique[:, 1]] * np.array([0.5, 1.0], np.float32)

    def move(self, vertices: np.ndarray, normals: np.ndarray) -> None:
        self.mesh.points[:] = vertices[self.source]
        self.mesh.point_data["Normals"][:] = normals[self.source]
        self.mesh.GetPoints().Modified()
        self.mesh.GetPointData().GetNormals().Modified()
        self.mesh.GetPointData().Modified()
        self.mesh.Modified()


def _project(points: np.ndarray) -> np.ndarray:
    return points[:, :2] / points[:, 2:]


def _seen(spots: np.ndarray, depths: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """Which places are in the image and not behind the surface (drawn depths) by more than half a centimetre."""
    side = len(surface)
    x, y = np.floor(spots).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < side) & (y < side)
    around = [
        surface[(y + dy).clip(0, side - 1), (x + dx).clip(0, side - 1)] for dx in (-1, 0, 1) for dy in (-1, 0, 1)
    ]
    return inside & (depths < np.max(around, axis=0) + 0.5)
