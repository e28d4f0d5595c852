"""The values that flow between stages: frozen dataclasses with the shape and unit of each field.

Conventions (docs/conventions.md): metres, radians, seconds; pixels with centres at +0.5; OpenCV
cameras (x right, y down, z forward) with ``x_cam = R x_world + t``; the world is Y up.
Arrays are numpy. T is the number of frames of a clip, H and W are the height and width of its pictures.

``shaped`` declares what an array holds. It changes nothing when a value is made; readers of files compare
what they found with it (``hvr_nb.store.checks``).
"""

from __future__ import annotations

import functools
import math
import zipfile
import zlib
from dataclasses import dataclass, field, replace

import numpy as np

BODY25_NAMES = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee",
    "left_ankle", "right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe",
    "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
COCO17_FROM_BODY25 = (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11)
SMPL_JOINT_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar",
    "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist",
    "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
PART_NAMES = ("body", "leg", "head", "left_arm", "right_arm")
DIFFUSED = 0.06  # metres over which the weights of what stands off the body are diffused
MONOCULAR_R = np.diag([1.0, -1.0, -1.0])


def shaped(layout: str, **options):
    """A dataclass field that holds an array, e.g. ``shaped("float (T, 25, 3)")``.

    Args:
        layout: kind and shape. Kinds: "float" (finite), "float or nan", "bool", "int", "index of V" (0 to
            V - 1), and numpy's names, e.g. "uint8". A letter stands for a length that is the same in all
            fields of the value.
        options: of ``dataclasses.field``, e.g. ``default``.
    """
    return field(metadata={"layout": layout}, **options)


class HvrError(Exception):
    """Something a person can mend: the message names the file or value and the fix."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in place of frames of this package: the one line that helps."""
        return [f"{type(self).__name__}: {self}"]


# What numpy and zipfile raise for a file that is damaged, or claims more than it holds or memory has room for
DAMAGE = (ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, NotImplementedError,
          RuntimeError, OverflowError, MemoryError, zipfile.BadZipFile, zlib.error)  # fmt: skip


def check_fps(fps: float, *, most: float = math.inf) -> None:
    """Raise HvrError where ``fps`` is no rate of frames per second, or above ``most``."""
    number = isinstance(fps, (int, float, np.integer, np.floating)) and not isinstance(fps, bool)
    try:
        rate = float(fps) if number else math.nan
    except OverflowError:  # a whole number that is no float
        rate = math.inf
    if not 0 < rate < math.inf or rate > most:
        limit = f" and at most {most:.0f}" if most < math.inf else ""
        raise HvrError(f"fps is {fps!r}; it must be positive{limit}")


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in OpenCV axes, ``x_cam = R x_world + t``."""

    K: np.ndarray = shaped("float (3, 3)")  # intrinsics, pixels
    width: int  # image width, pixels
    height: int  # image height, pixels
    R: np.ndarray = shaped("float (3, 3)", default_factory=lambda: MONOCULAR_R.copy())  # world to camera
    t: np.ndarray = shaped("float (3,)", default_factory=lambda: np.zeros(3))  # metres
    dist: np.ndarray = shaped("float (5,)", default_factory=lambda: np.zeros(5))  # OpenCV distortion
    source: str = "default"  # "given", "metadata", "default", "refined" or "truth"

    def scaled(self, ratio: float) -> Camera:
        """The same camera for an image resized by ``ratio`` (sizes are rounded)."""
        width, height = round(self.width * ratio), round(self.height * ratio)
        K = self.K.copy()
        K[0] *= width / self.width
        K[1] *= height / self.height
        return replace(self, K=K, width=width, height=height)

    def at_most(self, side: int) -> Camera:
        """The same camera for an image whose larger side is at most ``side`` pixels (0: any)."""
        return self.scaled(min(1.0, side / max(self.width, self.height))) if side else self

    def __repr__(self) -> str:
        return f"Camera({self.width}x{self.height}, focal {self.K[0, 0]:.0f} px, source {self.source})"


@dataclass(frozen=True)
class Keypoints:
    """2D joints of the followed person in every frame, BODY_25 order."""

    points: np.ndarray = shaped("float (T, 25, 3)")  # x, y in pixels and confidence 0..1 (0 = not known)
    filled: np.ndarray = shaped("bool (T, 25)")  # True where the point was interpolated, not measured
    found: np.ndarray = shaped("bool (T,)")  # False where the person was not seen in the frame
    # x0, y0, x1, y1 in pixels around the person (NaN if not found)
    boxes: np.ndarray = shaped("float or nan (T, 4)")
    # BlazePose landmarks, pixels and confidence
    landmarks: np.ndarray | None = shaped("float (T, 33, 3)", default=None)
    # metres, OpenCV camera axes, mid-hip origin
    world: np.ndarray | None = shaped("float (T, 33, 3)", default=None)
    source: str = "blazepose"  # who measured them

    @property
    def coco(self) -> np.ndarray:
        """(T, 17, 3) the same joints in COCO-17 order."""
        return self.points[:, COCO17_FROM_BODY25]

    def __repr__(self) -> str:
        seen = 100.0 * float(self.found.mean()) if len(self.found) else 0.0
        return f"Keypoints({len(self.points)} frames, person in {seen:.0f} %, source {self.source})"


@dataclass(frozen=True)
class Tracks:
    """Who is where when: everybody who was followed through a clip."""

    # x0, y0, x1, y1 in pixels, NaN where not seen; the most prominent one first
    boxes: np.ndarray = shaped("float or nan (P, T, 4)")
    chosen: int  # whose joints are used

    @property
    def seen(self) -> np.ndarray:
        """(P, T) bool, who is seen in which frame."""
        return np.isfinite(self.boxes).all(2)

    def __repr__(self) -> str:
        who = ", ".join(f"{int(seen.sum())} frames" for seen in self.seen)
        return f"Tracks({len(self.boxes)} people: {who}; person {self.chosen} chosen)"


@dataclass(frozen=True)
class Masks:
    """Silhouettes of the followed person and, where made, a label for every pixel."""

    alpha: np.ndarray = shaped("uint8 (T, H, W)")  # 0..255 soft coverage
    labels: np.ndarray | None = shaped("uint8 (T, H, W)", default=None)  # numbers of ``label_set``
    label_set: str = "CIHP"  # "CIHP", "LIP" or "ATR"
    # colours free of background at edges
    foreground: np.ndarray | None = shaped("uint8 (T, H, W, 3)", default=None)
    source: str = ""  # how the silhouettes were made
    parsing_source: str = ""  # how the labels were made; says so when they are not from SCHP

    def __repr__(self) -> str:
        labels = f", labels {self.label_set} by {self.parsing_source}" if self.labels is not None else ""
        return f"Masks({len(self.alpha)} frames, {self.alpha.shape[2]}x{self.alpha.shape[1]}{labels})"


@dataclass(frozen=True)
class Normals:
    """Directions of the visible surface, measured or estimated by another program."""

    # 127 = 1, OpenCV camera axes, towards us; 0, 0, 0 = not known
    vectors: np.ndarray = shaped("int8 (T, H, W, 3)")

    def __repr__(self) -> str:
        known = 100 * float((self.vectors != 0).any(-1).mean())
        return f"Normals({len(self.vectors)} frames, known in {known:.0f} % of the pixels)"


@dataclass(frozen=True)
class Joints3D:
    """A 3D skeleton per frame."""

    points: np.ndarray = shaped("float or nan (T, J, 3)")  # metres, world axes; finite where valid
    valid: np.ndarray = shaped("bool (T,)")
    names: tuple[str, ...] = SMPL_JOINT_NAMES  # J names

    def __repr__(self) -> str:
        return f"Joints3D({len(self.points)} frames, {self.points.shape[1]} joints)"


@dataclass(frozen=True)
class Body:
    """SMPL parameters of one person over a clip: one shape, one pose a frame (standard SMPL)."""

    betas: np.ndarray = shaped("float (10,)")  # shape coefficients, constant over the clip
    global_orient: np.ndarray = shaped("float (T, 3)")  # axis-angle, radians
    body_pose: np.ndarray = shaped("float (T, 69)")  # axis-angle of joints 1..23, radians
    transl: np.ndarray = shaped("float (T, 3)")  # metres
    camera: Camera  # the camera the body was fitted in (its focal may be refined)
    valid: np.ndarray = shaped("bool (T,)")  # False where the pose is interpolated, not observed
    model_hash: str = ""  # sha256 of the body model file the parameters belong to

    def __len__(self) -> int:
        return len(self.transl)

    @property
    def poses(self) -> np.ndarray:
        """(T, 72) all joint rotations, ``global_orient`` first."""
        return np.concatenate([self.global_orient, self.body_pose], axis=1)

    def frame(self, index: int | slice | np.ndarray) -> Body:
        """The same body at the chosen frame(s); an int gives a body of one frame."""
        pick = slice(index, index + 1 or None) if isinstance(index, int) else index
        return replace(
            self,
            global_orient=self.global_orient[pick],
            body_pose=self.body_pose[pick],
            transl=self.transl[pick],
            valid=self.valid[pick],
        )

    def __repr__(self) -> str:
        return f"Body({len(self)} frames, {len(self.betas)} betas, {int(self.valid.sum())} observed)"


@dataclass(frozen=True)
class Canonical:
    """The shaped body in big pose with its fields on a grid (X, Y, Z nodes, ``ij`` indexing)."""

    rest_vertices: np.ndarray = shaped("float (V, 3)")  # shaped T-pose, metres
    rest_joints: np.ndarray = shaped("float (24, 3)")  # shaped T-pose joints, metres
    vertices: np.ndarray = shaped("float (V, 3)")  # big pose, metres
    A_big: np.ndarray = shaped("float (24, 3, 4)")  # T-pose to big pose, per joint
    weights: np.ndarray = shaped("float (V, 24)")  # skin weights
    faces: np.ndarray = shaped("index of V (F, 3)")
    parts: np.ndarray = shaped("uint8 (V,)")  # index into part_names
    bounds: np.ndarray = shaped("float (2, 3)")  # lower and upper corner of the vertices with margin, metres
    origin: np.ndarray = shaped("float (3,)")  # position of grid node (0, 0, 0), metres
    spacing: float  # distance of grid nodes, metres
    # skin weights near the skin, their harmonic extension beyond
    field_weights: np.ndarray = shaped("float (X, Y, Z, 24)")
    # signed distance to the surface, metres, negative inside
    field_distance: np.ndarray = shaped("float (X, Y, Z)")
    parents: np.ndarray = shaped("int (24,)")  # parent joints, -1 for the root
    part_names: tuple[str, ...] = PART_NAMES
    model_hash: str = ""  # sha256 of the body model

    @property
    def joints(self) -> np.ndarray:
        """(24, 3) joints in the big pose, metres."""
        return np.einsum("jab,jb->ja", self.A_big[:, :, :3], self.rest_joints) + self.A_big[:, :, 3]

    @functools.cached_property
    def loose_weights(self) -> np.ndarray:
        """(X, Y, Z, 24) float32 blend weights of loose cloth: ``field_weights``, blurred over 6 cm.

        In the crease between the legs the harmonic extension still changes from one thigh to the other
        within a centimetre, and a skirt folds there (docs/body.md, 10).
        """
        from scipy.ndimage import gaussian_filter  # here, so that the types stay light to import

        sigma = DIFFUSED / self.spacing
        out = gaussian_filter(self.field_weights.astype(np.float32), sigma, mode="nearest", axes=(0, 1, 2))
        return out / out.sum(-1, keepdims=True)

    def __repr__(self) -> str:
        x, y, z = self.field_distance.shape
        return f"Canonical({len(self.vertices)} vertices, {x}x{y}x{z} grid of {1e3 * self.spacing:.0f} mm)"


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh, optionally coloured per vertex or by a texture."""

    vertices: np.ndarray = shaped("float (V, 3)")  # metres
    faces: np.ndarray = shaped("index of V (F, 3)")  # vertices of the triangles
    colors: np.ndarray | None = shaped("uint8 (V, 3)", default=None)  # RGB
    # texture coordinates, origin at the lower left
    uv: np.ndarray | None = shaped("float (U, 2)", default=None)
    uv_faces: np.ndarray | None = shaped("index of U (F, 3)", default=None)  # into ``uv``
    texture: np.ndarray | None = shaped("uint8 (H, W, 3)", default=None)  # RGB

    def __repr__(self) -> str:
        return f"Mesh({len(self.vertices)} vertices, {len(self.faces)} faces)"


@dataclass(frozen=True)
class Garment:
    """One garment: an open mesh and the curves along which it ends (its feature curves).

    A curve is closed and does not repeat its first point; ``opening``, the front of an open jacket, is open.
    """

    name: str  # what it is: "shirt", "jacket", "trousers", "skirt", "dress", "tube", "shoes", "hair"
    mesh: Mesh  # open where it has curves; closed for shoes and hair
    # (N, 3) metres, in the mesh's pose, by name: neck, left_cuff, right_cuff, hem, waist, left_ankle,
    # right_ankle, opening
    curves: dict[str, np.ndarray]

    def __repr__(self) -> str:
        return f"Garment({self.name}, {len(self.mesh.faces)} faces, {', '.join(self.curves) or 'closed'})"


@dataclass(frozen=True)
class Render:
    """What an avatar's ``render`` gives: one picture."""

    rgb: np.ndarray  # (H, W, 3) float32 0..1, over black (premultiplied by alpha)
    alpha: np.ndarray  # (H, W) float32 0..1
    depth: np.ndarray  # (H, W) float32 metres of camera depth, 0 where empty

    def __repr__(self) -> str:
        return f"Render({self.rgb.shape[1]}x{self.rgb.shape[0]})"
