"""What is to be seen of each type: a picture for every frame, notes below it, a 3D scene.

``as_view`` knows the types; it draws nothing until a frame is asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hvr_nb.drawing import pictures, plots, shading, skeletons
from hvr_nb.geometry.camera import project, to_camera
from hvr_nb.types import Body, Camera, Canonical, HvrError, Joints3D, Keypoints, Masks, Mesh, Tracks

SIDE = 480  # pixels, the larger side of a picture on the screen


@dataclass(frozen=True)
class View:
    """Something to show, lazily drawn."""

    title: str
    count: int  # number of frames
    panels: dict[str, Callable[[int], np.ndarray]]  # label -> (frame -> (H, W, 3) uint8 RGB)
    captions: tuple[str, ...] = ()  # one a frame; empty writes "frame i"
    notes: tuple[np.ndarray, ...] = ()  # (H, W, 3) uint8 pictures below: legend, plot
    scene: Callable | None = None  # () -> (k3d plot, keys (T,) seconds) or None
    fps: float = 30.0  # frames per second
    moving: bool = True  # False: the pictures are not a clip but a collection
    step: int = 1  # frames of the scene's timeline a picture stands for

    def caption(self, index: int) -> str:
        """The line below picture ``index``."""
        return self.captions[index] if self.captions else f"frame {index * self.step}"


@functools.singledispatch
def as_view(x, **_options) -> View:
    """The ``View`` of a value; see ``hvr_nb.viewing.show`` for the options."""
    raise HvrError(
        f"show does not know {type(x).__name__}; give frames, images, Tracks, Keypoints, Masks, Body, "
        "Canonical, Mesh or Joints3D"
    )


@as_view.register
def _array(x: np.ndarray, *, over=None, title: str = "", fps: float = 30.0, captions=()) -> View:
    if x.ndim == 2 or (x.ndim == 3 and x.shape[2] in (1, 3, 4)):
        return _images([x], title=title, captions=captions)
    if x.ndim not in (3, 4) or not len(x):
        raise HvrError(
            f"an array of shape {x.shape} is no image and no frames; give (T, H, W, 3) or (H, W, 3)"
        )
    return View(title, len(x), {"": lambda i: _small(x[i])}, tuple(captions), fps=fps)


@as_view.register(list)
@as_view.register(tuple)
def _images(x, *, over=None, title: str = "", captions=(), fps: float = 30.0, camera=None) -> View:
    if not len(x):
        raise HvrError("there is nothing to show: the list is empty")
    if isinstance(x[0], Mesh):
        return _meshes(list(x), over=over, title=title, fps=fps, camera=camera)
    captions = tuple(captions) or tuple("" for _ in x)
    if len(captions) != len(x):
        raise HvrError(f"there are {len(captions)} captions for {len(x)} images")
    return View(title, len(x), {"": lambda i: _small(x[i])}, captions, moving=False)


@as_view.register
def side_by_side(images: dict, *, over=None, fps: float = 30.0, title: str = "") -> View:
    """One picture a frame with all clips of ``images`` (label -> (T, H, W, 3)) in a row."""
    clips = {k: v if np.ndim(v[0]) == 3 else [v] for k, v in images.items()}
    counts = {label: len(clip) for label, clip in clips.items()}
    if len(set(counts.values())) > 1:
        lengths = ", ".join(f"{label} {n}" for label, n in counts.items())
        raise HvrError(f"the clips have different lengths ({lengths} frames); cut them to the same frames")
    count = min(counts.values())
    panels = {label: functools.partial(_frame_of, clip) for label, clip in clips.items()}
    return View(title, count, panels, fps=fps, moving=count > 1, captions=() if count > 1 else ("",))


def _frame_of(clip, index: int) -> np.ndarray:
    return _small(clip[index])


@as_view.register
def _keypoints(x: Keypoints, *, over=None, title: str = "", fps: float = 30.0) -> View:
    frames = _frames(over, len(x.points), "keypoints")
    xy = x.points[..., :2][x.points[..., 2] > 0.1]
    rows, columns = pictures.window(*_extent(xy), frames.shape[1:])

    def draw(i: int) -> np.ndarray:
        cut = frames[i][rows, columns]
        image = _small(cut)
        ratio = [image.shape[1] / cut.shape[1], image.shape[0] / cut.shape[0], 1]
        points = (x.points[i] - [columns.start, rows.start, 0]) * ratio
        return pictures.draw_skeleton(image, points, x.filled[i])

    title = title or f"joints by {x.source}: left blue, right orange, faint = unsure, hollow = interpolated"
    return View(title, len(x.points), {"": draw}, notes=(plots.plot_confidence(x),), fps=fps)


@as_view.register
def _tracks(x: Tracks, *, over=None, title: str = "", fps: float = 30.0) -> View:
    frames = _frames(over, x.boxes.shape[1], "tracks")
    colours = (0.75 * shading.distinct_colours(len(x.boxes))).astype(np.uint8)

    def draw(i: int) -> np.ndarray:
        image = _small(frames[i])
        ratio = image.shape[1] / frames.shape[2]
        for person in np.flatnonzero(x.seen[:, i]):
            wide = 3 if person == x.chosen else 1
            image = pictures.draw_box(
                image, x.boxes[person, i] * ratio, str(person), colours[person], width=wide
            )
        return image

    title = title or f"{len(x.boxes)} followed; the thick box is the person whose joints are used"
    return View(title, len(frames), {"": draw}, notes=(plots.plot_tracks(x, colours),), fps=fps)


@as_view.register
def _masks(x: Masks, *, over=None, title: str = "", fps: float = 30.0) -> View:
    frames = np.repeat(x.alpha[..., None], 3, 3) if over is None else _frames(over, len(x.alpha), "masks")

    yx = np.argwhere(x.alpha.max(0) > 127)
    part = pictures.window(*_extent(yx[:, ::-1]), frames.shape[1:])

    def draw(i: int) -> np.ndarray:
        image, alpha = _small(frames[i][part]), _small(x.alpha[i][part])
        labels = None if x.labels is None else pictures.nearest(x.labels[i][part], image.shape[:2])
        return pictures.draw_mask(image, alpha[..., 0], labels, label_set=x.label_set)

    notes = ()
    if x.labels is not None:
        notes = (pictures.label_legend(x.labels, x.label_set, width=900),)
    made = f"silhouettes{f' by {x.source}' if x.source else ''}"
    if x.labels is not None:
        made += f"; {x.label_set} labels by {x.parsing_source or 'an unnamed parser'}"
    return View(title or made, len(x.alpha), {"": draw}, notes=notes, fps=fps)


@as_view.register
def _body(x: Body, *, over=None, title: str = "", fps: float = 30.0, model=None) -> View:
    from hvr_nb.body.model import load_body_model, posed
    from hvr_nb.viewing import scenes

    model = model or load_body_model()
    vertices = posed(model, x)[0]
    guessed = "" if x.valid.all() else f"; {int((~x.valid).sum())} frames interpolated"
    scene = functools.partial(scenes.moving_mesh, vertices, model.faces, fps=fps)
    if over is None:
        view = _meshes([Mesh(v, model.faces) for v in vertices], title=title or f"body{guessed}", fps=fps)
        return replace(view, scene=scene)
    frames = _frames(over, len(x), "body")
    pixels = project(vertices[:, ::20], x.camera)[to_camera(vertices[:, ::20], x.camera)[..., 2] > 0.1]
    part = pictures.window(*_extent(pixels), frames.shape[1:])
    camera = cropped(x.camera, part, frames.shape[1:])

    def draw(i: int) -> np.ndarray:
        return shading.draw_mesh(_small(frames[i][part]), Mesh(vertices[i], model.faces), camera)

    return View(title or f"{model.name} over the frames{guessed}", len(x), {"": draw}, scene=scene, fps=fps)


@as_view.register
def _mesh(x: Mesh, *, over=None, title: str = "", camera: Camera | None = None, fps: float = 30.0) -> View:
    if over is not None:
        return _meshes([x], over=over[None] if over.ndim == 3 else over, title=title, camera=camera)
    from hvr_nb.viewing import scenes

    angles = (("front", 0.0), ("left side", np.pi / 2), ("back", np.pi), ("right side", -np.pi / 2))

    def draw(i: int) -> np.ndarray:
        return shading.views(x, angles=[angles[i][1]], height=SIDE)[0]

    return View(
        title or repr(x),
        len(angles),
        {"": draw},
        tuple(name for name, _ in angles),
        moving=False,
        scene=functools.partial(scenes.still_mesh, x),
    )


def _meshes(x: list[Mesh], *, over=None, title: str = "", fps: float = 30.0, camera=None) -> View:
    """One mesh a frame: over the frames if there are any, else alone in a camera that sees them all."""
    from hvr_nb.viewing import scenes

    if over is not None and camera is None:
        raise HvrError(
            "to draw a mesh over frames show needs the camera: show(mesh, over=frames, camera=body.camera)"
        )
    frames = None if over is None else _frames(over, len(x), "meshes")
    lo = np.min([m.vertices.min(0) for m in x], axis=0).astype(float)
    hi = np.max([m.vertices.max(0) for m in x], axis=0).astype(float)

    def draw(i: int) -> np.ndarray:
        if frames is not None:
            return shading.draw_mesh(_small(frames[i]), x[i], camera)
        view = shading.viewpoint(lo, hi, angle=0.35, height=SIDE)
        return shading.draw_mesh(np.full((SIDE, view.width, 3), 255, np.uint8), x[i], view, opacity=1.0)

    same = all(m.faces.shape == x[0].faces.shape and (m.faces == x[0].faces).all() for m in x)
    scene = functools.partial(scenes.still_mesh, x[0])
    if same and len(x) > 1:
        vertices = np.stack([m.vertices for m in x])
        scene = functools.partial(scenes.moving_mesh, vertices, x[0].faces, fps=fps, colors=x[0].colors)
    return View(title, len(x), {"": draw}, scene=scene, fps=fps)


@as_view.register
def _joints(x: Joints3D, *, over=None, title: str = "", fps: float = 30.0) -> View:
    from hvr_nb.viewing import scenes

    return View(
        title or repr(x),
        len(x.points),
        {"": functools.partial(skeletons.draw_joints, x)},
        scene=functools.partial(scenes.moving_joints, x, fps=fps),
        fps=fps,
    )


@as_view.register
def _canonical(x: Canonical, *, over=None, title: str = "", color: str = "parts") -> View:
    """The big pose coloured by part or by skinning weights."""
    if color not in ("parts", "weights"):
        raise HvrError(f'color is {color!r}; a canonical body is coloured by "parts" or by "weights"')
    palette = shading.distinct_colours(len(x.part_names))
    colors = palette[x.parts] if color == "parts" else shading.weight_colours(x.weights)
    view = _mesh(Mesh(x.vertices, x.faces, colors), title=title or f"big pose, coloured by {color}")
    if color == "parts":
        return replace(view, notes=(pictures.legend(list(x.part_names), palette, width=900),))
    return view


def cropped(camera: Camera, part: tuple[slice, slice], shape: tuple[int, ...]) -> Camera:
    """The camera of images of ``shape`` (H, W, ...) cut to the rows and columns ``part``."""
    fitted = camera if camera.width == shape[1] else camera.scaled(shape[1] / camera.width)
    K = fitted.K.copy()
    K[:2, 2] -= [part[1].start, part[0].start]
    return replace(fitted, K=K, width=part[1].stop - part[1].start, height=part[0].stop - part[0].start)


def _extent(xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner of points (N, 2), NaN where there are none."""
    return (xy.min(0), xy.max(0)) if len(xy) else (np.full(2, np.nan),) * 2


def _small(image: np.ndarray) -> np.ndarray:
    return pictures.resized(pictures.as_rgb(image), max_side=SIDE)


def _frames(over, count: int, what: str) -> np.ndarray:
    if over is None:
        raise HvrError(f"the {what} are drawn over frames: show(..., over=clip.frames)")
    if len(over) != count:
        raise HvrError(f"there are {len(over)} frames and {what} for {count}; give those of the same clip")
    return over
