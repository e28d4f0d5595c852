"""The values that flow between stages: frozen dataclasses, shape and unit on each field.

Conventions (docs/conventions.md): metres, radians, seconds; pixels with centres at +0.5; OpenCV
cameras (x right, y down, z forward) with ``x_cam = R x_world + t``; the world is Y up.
Arrays are numpy; T is the number of frames of a clip.
"""

from __future__ import annotations

import functools
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


class HvrError(Exception):
    """Something a person can mend: the message names the file or value and the fix."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in OpenCV axes, ``x_cam = R x_world + t``."""

    K: np.ndarray  # (3, 3) intrinsics, pixels
    width: int  # image width, pixels
    height: int  # image height, pixels
    R: np.ndarray = field(default_factory=lambda: MONOCULAR_R.copy())  # (3, 3) world to camera
    t: np.ndarray = field(default_factory=lambda: np.zeros(3))  # (3,) metres
    dist: np.ndarray = field(default_factory=lambda: np.zeros(5))  # (5,) OpenCV distortion
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

    points: np.ndarray  # (T, 25, 3) x, y in pixels and confidence 0..1 (0 = not known)
    filled: np.ndarray  # (T, 25) bool, True where the point was interpolated, not measured
    found: np.ndarray  # (T,) bool, False where the person was not seen in the frame
    boxes: np.ndarray  # (T, 4) x0, y0, x1, y1 in pixels around the person (NaN if not found)
    landmarks: np.ndarray | None = None  # (T, 33, 3) BlazePose landmarks, pixels and confidence
    world: np.ndarray | None = None  # (T, 33, 3) metres, OpenCV camera axes, mid-hip origin
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

    boxes: np.ndarray  # (P, T, 4) x0, y0, x1, y1 in pixels, NaN where not seen; the most prominent one first
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

    alpha: np.ndarray  # (T, H, W) uint8, 0..255 soft coverage
    labels: np.ndarray | None = None  # (T, H, W) uint8, numbers of ``label_set``
    label_set: str = "CIHP"  # "CIHP", "LIP" or "ATR"
    foreground: np.ndarray | None = None  # (T, H, W, 3) uint8 colours free of background at edges
    source: str = ""  # how the silhouettes were made
    parsing_source: str = ""  # how the labels were made; says so when they are not from SCHP

    def __repr__(self) -> str:
        labels = f", labels {self.label_set} by {self.parsing_source}" if self.labels is not None else ""
        return f"Masks({len(self.alpha)} frames, {self.alpha.shape[2]}x{self.alpha.shape[1]}{labels})"


@dataclass(frozen=True)
class Normals:
    """Directions of the visible surface, measured or estimated by another program."""

    vectors: np.ndarray  # (T, H, W, 3) int8, 127 = 1, OpenCV camera axes, towards us; 0, 0, 0 = not known

    def __repr__(self) -> str:
        known = 100 * float((self.vectors != 0).any(-1).mean())
        return f"Normals({len(self.vectors)} frames, known in {known:.0f} % of the pixels)"


@dataclass(frozen=True)
class Joints3D:
    """A 3D skeleton per frame."""

    points: np.ndarray  # (T, J, 3) metres, world axes
    valid: np.ndarray  # (T,) bool
    names: tuple[str, ...] = SMPL_JOINT_NAMES  # J names

    def __repr__(self) -> str:
        return f"Joints3D({len(self.points)} frames, {self.points.shape[1]} joints)"


@dataclass(frozen=True)
class Body:
    """SMPL parameters of one person over a clip: one shape, one pose a frame (standard SMPL)."""

    betas: np.ndarray  # (10,) shape coefficients, constant over the clip
    global_orient: np.ndarray  # (T, 3) axis-angle, radians
    body_pose: np.ndarray  # (T, 69) axis-angle of joints 1..23, radians
    transl: np.ndarray  # (T, 3) metres
    camera: Camera  # the camera the body was fitted in (its focal may be refined)
    valid: np.ndarray  # (T,) bool, False where the pose is interpolated, not observed
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

    rest_vertices: np.ndarray  # (V, 3) shaped T-pose, metres
    rest_joints: np.ndarray  # (24, 3) shaped T-pose joints, metres
    vertices: np.ndarray  # (V, 3) big pose, metres
    A_big: np.ndarray  # (24, 3, 4) T-pose to big pose, per joint
    weights: np.ndarray  # (V, 24) skin weights
    faces: np.ndarray  # (F, 3)
    parts: np.ndarray  # (V,) uint8, index into part_names
    bounds: np.ndarray  # (2, 3) lower and upper corner of the vertices with margin, metres
    origin: np.ndarray  # (3,) position of grid node (0, 0, 0), metres
    spacing: float  # distance of grid nodes, metres
    field_weights: np.ndarray  # (X, Y, Z, 24) skin weights near the skin, their harmonic extension beyond
    field_distance: np.ndarray  # (X, Y, Z) signed distance to the surface, metres, negative inside
    parents: np.ndarray  # (24,) parent joints, -1 for the root
    part_names: tuple[str, ...] = PART_NAMES
    model_hash: str = ""  # sha256 of the body model

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

    vertices: np.ndarray  # (V, 3) metres
    faces: np.ndarray  # (F, 3) vertex indices
    colors: np.ndarray | None = None  # (V, 3) uint8 RGB
    uv: np.ndarray | None = None  # (U, 2) texture coordinates, origin at the lower left
    uv_faces: np.ndarray | None = None  # (F, 3) indices into ``uv``
    texture: np.ndarray | None = None  # (H, W, 3) uint8 RGB

    def __repr__(self) -> str:
        return f"Mesh({len(self.vertices)} vertices, {len(self.faces)} faces)"


@dataclass(frozen=True)
class Render:
    """What an avatar's ``render`` gives: one picture."""

    rgb: np.ndarray  # (H, W, 3) float32 0..1, over black (premultiplied by alpha)
    alpha: np.ndarray  # (H, W) float32 0..1
    depth: np.ndarray  # (H, W) float32 metres of camera depth, 0 where empty

    def __repr__(self) -> str:
        return f"Render({self.rgb.shape[1]}x{self.rgb.shape[0]})"
