"""What is to be seen of each type: a picture for every frame, notes below it, a 3D scene.

``as_view`` knows the types; it draws nothing until a frame is asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hvr_nb.drawing import pictures, plots, shading, skeletons
from hvr_nb.geometry.camera import project, to_camera
from hvr_nb.types import (
    Body,
    Camera,
    Canonical,
    HvrError,
    Joints3D,
    Keypoints,
    Masks,
    Mesh,
    Tracks,
    check_fps,
)
from hvr_nb.viewing.scene import Bones, Scene, Solid, canonical_scene, person_scene, skinned_body

SIDE = 480  # pixels, the larger side of a picture on the screen
ALONE = 1400  # pixels, the larger side of a picture that is shown alone: charts stay readable


@dataclass(frozen=True)
class Timeline:
    """Values over the frames of a view."""

    values: Sequence[float]  # (T,), NaN where unknown
    unit: str = ""
    worst: str = "low"  # which end is the worst: "low" or "high"


@dataclass(frozen=True)
class View:
    """Something to show, lazily drawn."""

    title: str
    count: int  # number of frames
    panels: dict[str, Callable[[int], np.ndarray]]  # label -> (frame -> (H, W, 3) uint8 RGB)
    captions: tuple[str, ...] = ()  # one a frame; empty writes "frame i"
    notes: tuple[np.ndarray, ...] = ()  # (H, W, 3) uint8 pictures below: legend, plot
    scene: Callable[[], Scene] | None = None
    fps: float = 30.0  # frames per second
    moving: bool = True  # False: the pictures are not a clip but a collection
    still_panels: bool = False  # the panels are for the strip alone: the scene shows the same and more
    names: tuple[str, ...] = ()  # one a frame; empty: its number
    compare: tuple[str, str] | None = None  # two panels to wipe between and to take the difference of
    curves: Mapping[str, Timeline] = field(default_factory=dict)  # below, over time
    note: str = ""  # a few words beside the title

    @property
    def plays(self) -> bool:
        """Whether there is more to it than a still picture."""
        return self.scene is not None or (self.moving and self.count > 1)

    def caption(self, index: int) -> str:
        """The line below picture ``index``."""
        if self.captions:
            return self.captions[index]
        return f"frame {self.names[index] if self.names else index}"

    def without_scene(self) -> View:
        """The pictures alone."""
        return replace(self, scene=None)


@functools.singledispatch
def as_view(x, **_options) -> View:
    """The ``View`` of a value; see ``hvr_nb.viewing.show`` for the options."""
    raise HvrError(
        f"show does not know {type(x).__name__}; give frames, images, Tracks, Keypoints, Masks, Body, "
        "Canonical, Mesh, Joints3D or a Scene"
    )


@as_view.register
def _array(x: np.ndarray, *, over=None, title: str = "", fps: float = 30.0, captions=(), names=()) -> View:
    check_fps(fps)
    if x.ndim == 2 or (x.ndim == 3 and x.shape[2] in (1, 3, 4)):
        return _images([x], title=title, captions=captions)
    if x.ndim not in (3, 4) or not len(x):
        raise HvrError(
            f"an array of shape {x.shape} is no image and no frames; give (T, H, W, 3) or (H, W, 3)"
        )
    captions, names = _one_each(captions, len(x), "captions"), _one_each(names, len(x), "names")
    return View(title, len(x), {"": lambda i: _small(x[i])}, captions, fps=fps, names=names)


def _one_each(words, count: int, what: str) -> tuple[str, ...]:
    words = tuple(words)
    if words and len(words) != count:
        raise HvrError(f"there are {len(words)} {what} for {count} images")
    return words


@as_view.register(list)
@as_view.register(tuple)
def _images(x, *, over=None, title: str = "", captions=(), fps: float = 30.0, camera=None) -> View:
    if not len(x):
        raise HvrError("there is nothing to show: the list is empty")
    if isinstance(x[0], Mesh):
        return _meshes(list(x), over=over, title=title, fps=fps, camera=camera)
    captions = _one_each(captions, len(x), "captions") or ("",) * len(x)
    draw = _alone if len(x) == 1 else _small
    return View(title, len(x), {"": lambda i: draw(x[i])}, captions, moving=False)


@as_view.register
def side_by_side(
    images: dict,
    *,
    over=None,
    fps: float = 30.0,
    title: str = "",
    names=(),
    captions=(),
    compare: tuple[str, str] | None = None,
    curves: Mapping[str, Timeline] | None = None,
    scene: Callable[[], Scene] | Scene | None = None,
    note: str = "",
) -> View:
    """Clips of one length in step.

    Args:
        images: label -> (T, H, W, 3) uint8 frames. names: T frame names.
        captions: T lines, instead of frame names and seconds.
        compare: two of the labels, of one size, to wipe between and to take the difference of.
        curves: label -> values over the T frames; a click goes to the frame.
        scene: of T frames, beside the pictures; the panel "film" is the frame in its camera.
    """
    check_fps(fps)
    clips = {k: v if np.ndim(v[0]) == 3 else [v] for k, v in images.items()}
    counts = {label: len(clip) for label, clip in clips.items()}
    if len(set(counts.values())) > 1:
        lengths = ", ".join(f"{label} {n}" for label, n in counts.items())
        raise HvrError(f"the clips have different lengths ({lengths} frames); cut them to the same frames")
    count = min(counts.values())
    if compare is not None and (missing := [label for label in compare if label not in clips]):
        raise HvrError(f"there is no {missing[0]!r} to compare; there are {', '.join(clips)}")
    if isinstance(scene, Scene) and scene.count != count:
        raise HvrError(f"the scene has {scene.count} frames and the clips {count}; give those of one clip")
    for label, curve in (curves or {}).items():
        _one_each(curve.values, count, f"values of {label}")
    return View(
        title,
        count,
        {label: functools.partial(_frame_of, clip) for label, clip in clips.items()},
        _one_each(captions, count, "captions") or (() if count > 1 else ("",)),
        scene=(lambda: scene) if isinstance(scene, Scene) else scene,
        fps=fps,
        moving=count > 1,
        names=_one_each(names, count, "names"),
        compare=compare,
        curves=curves or {},
        note=note,
    )


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

    model = model or load_body_model()
    vertices = posed(model, x)[0]
    guessed = "" if x.valid.all() else f"; {int((~x.valid).sum())} frames interpolated"
    if over is None:
        solid = skinned_body(x, model)
        return _scene(Scene((solid,), fps, x.camera), title=title or f"body{guessed}")
    frames = _frames(over, len(x), "body")
    pixels = project(vertices[:, ::20], x.camera)[to_camera(vertices[:, ::20], x.camera)[..., 2] > 0.1]
    part = pictures.window(*_extent(pixels), frames.shape[1:])
    camera = cropped(x.camera, part, frames.shape[1:])

    def draw(i: int) -> np.ndarray:
        return shading.draw_mesh(_small(frames[i][part]), Mesh(vertices[i], model.faces), camera)

    scene = functools.partial(person_scene, replace(x, camera=camera), model, fps=fps)
    title = title or f"{model.name} over the frames{guessed}"
    return View(title, len(x), {"": draw}, scene=scene, fps=fps)


@as_view.register
def _scene(x: Scene, *, over=None, title: str = "", fps: float = 0.0) -> View:
    """A scene, beside the film where frames are given; the strip shows what is shown at first."""
    x = replace(x, fps=fps) if fps else x
    title = title or ", ".join(layer.name for layer in x.layers)
    if over is not None:
        frames = _frames(over, x.count, "scene")
        return View(
            title, x.count, {"film": functools.partial(_frame_of, frames)}, scene=lambda: x, fps=x.fps
        )
    draw = functools.partial(draw_scene, x, *x.bounds())
    return View(title, x.count, {"": draw}, scene=lambda: x, fps=x.fps, still_panels=True)


def draw_scene(scene: Scene, lo: np.ndarray, hi: np.ndarray, frame: int) -> np.ndarray:
    """A picture (``SIDE``, W, 3) uint8 of the layers that a scene shows at first, in one frame.

    Args:
        lo, hi: (3,) corners of what the camera sees, metres.
    """
    camera = shading.viewpoint(lo, hi, angle=0.38, height=SIDE)
    image = np.full((SIDE, camera.width, 3), 255, np.uint8)
    for layer in scene.layers:
        if layer.shown and isinstance(layer, Solid):
            image = shading.draw_mesh(
                image, replace(layer.mesh, vertices=layer.vertices(frame)), camera, opacity=1.0
            )
        elif layer.shown:
            skeletons.draw_posed(image, layer.joints, min(frame, len(layer.joints.points) - 1), camera)
    return image


@as_view.register
def _mesh(x: Mesh, *, over=None, title: str = "", camera: Camera | None = None, fps: float = 30.0) -> View:
    if over is not None:
        return _meshes([x], over=over[None] if over.ndim == 3 else over, title=title, camera=camera)
    return _from_sides(x, lambda: Scene((Solid("mesh", x),)), title or repr(x))


def _from_sides(x: Mesh, scene: Callable[[], Scene], title: str) -> View:
    """A mesh that stands still, from four sides in the strip."""
    angles = (("front", 0.0), ("left side", np.pi / 2), ("back", np.pi), ("right side", -np.pi / 2))

    def draw(i: int) -> np.ndarray:
        return shading.views(x, angles=[angles[i][1]], height=SIDE)[0]

    names = tuple(name for name, _ in angles)
    return View(title, len(angles), {"": draw}, names, scene=scene, moving=False, still_panels=True)


def _meshes(x: list[Mesh], *, over=None, title: str = "", fps: float = 30.0, camera=None) -> View:
    """One mesh a frame: over the frames if there are any, else in a scene."""
    if over is not None and camera is None:
        raise HvrError(
            "to draw a mesh over frames show needs the camera: show(mesh, over=frames, camera=body.camera)"
        )
    same = all(m.faces.shape == x[0].faces.shape and (m.faces == x[0].faces).all() for m in x)
    places = np.stack([m.vertices for m in x]) if same and len(x) > 1 else None
    scene = Scene((Solid("mesh", x[0], places=places),), fps, camera)
    if over is None:
        return _scene(scene, title=title or f"{len(x)} meshes")
    frames = _frames(over, len(x), "meshes")

    def draw(i: int) -> np.ndarray:
        return shading.draw_mesh(_small(frames[i]), x[i], camera)

    return View(title, len(x), {"": draw}, scene=lambda: scene, fps=fps)


@as_view.register
def _joints(x: Joints3D, *, over=None, title: str = "", fps: float = 30.0) -> View:
    return View(
        title or repr(x),
        len(x.points),
        {"": functools.partial(skeletons.draw_joints, x)},
        scene=lambda: Scene((Bones("skeleton", x),), fps),
        fps=fps,
        still_panels=True,
    )


@as_view.register
def _canonical(x: Canonical, *, over=None, title: str = "", color: str = "parts") -> View:
    """The big pose coloured by part or by skinning weights."""
    if color not in ("parts", "weights"):
        raise HvrError(f'color is {color!r}; a canonical body is coloured by "parts" or by "weights"')
    palette = shading.distinct_colours(len(x.part_names))
    colours = {"parts": palette[x.parts], "weights": shading.weight_colours(x.weights)}
    mesh = Mesh(x.vertices, x.faces, colours[color])
    scene = functools.partial(canonical_scene, x, colours, first=color)
    view = _from_sides(mesh, scene, title or f"big pose, coloured by {color}")
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


def _alone(image: np.ndarray) -> np.ndarray:
    return pictures.resized(pictures.as_rgb(image), max_side=ALONE)


def _frames(over, count: int, what: str) -> np.ndarray:
    if over is None:
        raise HvrError(f"the {what} are drawn over frames: show(..., over=clip.frames)")
    if len(over) != count:
        raise HvrError(f"there are {len(over)} frames and {what} for {count}; give those of the same clip")
    return over
