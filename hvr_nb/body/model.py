"""SMPL-format body models: where they are found, and the forward pass.

``load_body_model()`` takes the user's licensed SMPL file from ``data/models/`` or, without one, the
open body shipped with the package (docs/body.md, 1 and 6). Parameters belong to one model file:
its sha256 is the key of every cache and is stored with every set of parameters.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hvr_nb.body import skinning
from hvr_nb.body.smplx_engine import SmplxEngine
from hvr_nb.store.digests import file_digest
from hvr_nb.store.film_arrays import film_array
from hvr_nb.store.places import ASSETS, MODELS
from hvr_nb.store.smpl_arrays import read_smpl_npz, read_smpl_pickle
from hvr_nb.types import Body, HvrError

OPEN_BODY = ASSETS / "open_body.npz"
LICENSED_NAMES = (
    "SMPL_NEUTRAL.pkl",
    "SMPL_NEUTRAL.npz",
    "smpl/SMPL_NEUTRAL.pkl",
    "smpl/SMPL_NEUTRAL.npz",
    "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl",
    "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl",
)
# vertices that smplx reads as landmarks (smplx.vertex_ids['smplh']); the open body has the same numbers
LANDMARK_VERTICES = {
    "nose": 332, "right_eye": 6260, "left_eye": 2800, "right_ear": 4071, "left_ear": 583,
    "left_big_toe": 3216, "left_small_toe": 3226, "left_heel": 3387,
    "right_big_toe": 6617, "right_small_toe": 6624, "right_heel": 6787,
}  # fmt: skip


@dataclass(frozen=True)
class BodyModel:
    """An SMPL-format model as float32 torch tensors (V vertices, 24 joints)."""

    v_template: Tensor  # (V, 3) metres, T-pose
    shapedirs: Tensor  # (V, 3, 10) metres per unit beta
    posedirs: Tensor  # (207, V * 3) metres per entry of (R - I), joints 1..23
    J_regressor: Tensor  # (24, V)
    weights: Tensor  # (V, 24) skinning weights
    faces: np.ndarray  # (F, 3) int64
    parents: tuple[int, ...]  # 24, -1 for the root
    body25: Tensor  # (25, V) approximate BODY_25 regressor on posed vertices
    hash: str  # sha256 of the file
    name: str  # "open body" or the file's name
    uv: np.ndarray | None = None  # (U, 2) texture coordinates
    uv_faces: np.ndarray | None = None  # (F, 3) indices into uv
    engine: SmplxEngine | None = None  # who poses; None is ``skinning``

    @property
    def v_count(self) -> int:
        """Number of vertices V."""
        return self.v_template.shape[0]

    def shaped(self, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Rest-pose vertices and joints of a shape.

        Args:
            betas: (10,) or (B, 10).

        Returns:
            (V, 3) or (B, V, 3) vertices and (24, 3) or (B, 24, 3) joints, metres.
        """
        v = self.v_template + torch.einsum("vdk,...k->...vd", self.shapedirs, betas)
        return v, self.J_regressor @ v

    def pose(self, betas: Tensor, poses: Tensor, transl: Tensor, *, vertex_ids=None):
        """Pose the body (Loper et al. 2015, equations 2 to 10).

        Args:
            betas: (10,) one shape for the batch.
            poses: (B, 72) axis-angle, radians, ``global_orient`` first.
            transl: (B, 3) metres.
            vertex_ids: optional (N,) indices; only these vertices are skinned.

        Returns:
            vertices (B, V or N, 3) and joints (B, 24, 3), metres; transforms (B, 24, 3, 4) relative
            to the rest pose, without ``transl``.
        """
        rotations = skinning.axis_angle_to_matrix(poses.reshape(len(poses), 24, 3))
        return self.pose_matrices(betas, rotations, transl, vertex_ids=vertex_ids)

    def pose_matrices(self, betas: Tensor, rotations: Tensor, transl: Tensor, *, vertex_ids=None):
        """``pose`` for local rotations (B, 24, 3, 3) instead of axis-angle."""
        if self.engine is not None:
            vertices, joints, transforms = self.engine.pose_matrices(betas, rotations, transl)
            return (vertices if vertex_ids is None else vertices[:, vertex_ids]), joints, transforms
        rest, joints = self.shaped(betas)
        world, placed = skinning.forward_kinematics(rotations, joints, self.parents)
        transforms = skinning.rest_relative(world, placed, joints)
        feature = (rotations[:, 1:] - torch.eye(3, device=rotations.device)).reshape(-1, 207)
        dirs, weights = self.posedirs, self.weights
        if vertex_ids is not None:
            rest, weights = rest[vertex_ids], weights[vertex_ids]
            dirs = dirs.reshape(207, -1, 3)[:, vertex_ids].reshape(207, -1)
        offset = (feature @ dirs).reshape(len(rotations), -1, 3)
        vertices = skinning.transform_points(skinning.blend_transforms(transforms, weights), rest + offset)
        return vertices + transl[:, None], placed + transl[:, None], transforms

    def __repr__(self) -> str:
        by = "" if self.engine is None else ", posed by smplx"
        return f"BodyModel({self.name}, {self.v_count} vertices, {self.hash[:8]}{by})"


def check_fitted_with(model: BodyModel, body: Body) -> None:
    """Refuse a model that the parameters of ``body`` do not belong to.

    Raises:
        HvrError: the body was fitted with another model file.
    """
    remedy = "put that model back into data/models, or run 03_body again"
    check_same_model("the body", body.model_hash, model.hash, remedy, name=model.name)


def check_same_model(what: str, made_with: str, at_hand: str, remedy: str, *, name: str = "") -> None:
    """Refuse what was made with another body model than the one at hand.

    Args:
        what: e.g. "the body". made_with, at_hand: hashes of the models; an empty one fits every model.
        remedy: what to do. name: of the model at hand, for the message.

    Raises:
        HvrError: the hashes differ.
    """
    if made_with and at_hand and made_with != at_hand:
        found = f"{at_hand[:8]} ({name})" if name else at_hand[:8]
        raise HvrError(f"{what} was made with body model {made_with[:8]}, not {found}; {remedy}")


def posed(model: BodyModel, body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (T, V, 3) and joints (T, 24, 3) of every frame of ``body``, world metres, float32.

    Raises:
        HvrError: the body was fitted with another model file.
    """
    check_fitted_with(model, body)
    as_tensor = functools.partial(torch.as_tensor, dtype=torch.float32)
    counts = len(model.v_template), 24
    vertices, joints = (film_array((len(body), count, 3), np.float32) for count in counts)
    with torch.no_grad():
        for start in range(0, len(body), 32):
            rows = slice(start, start + 32)
            part = body.frame(rows)
            v, j, _ = model.pose(as_tensor(body.betas), as_tensor(part.poses), as_tensor(part.transl))
            vertices[rows], joints[rows] = v.numpy(), j.numpy()
    return vertices, joints


def find_model_file() -> Path:
    """The user's SMPL file in data/models if there is one, else the open body."""
    for name in LICENSED_NAMES:
        if (MODELS / name).exists():
            return MODELS / name
    return OPEN_BODY


def load_body_model(path: str | Path | BodyModel | None = None, *, engine: str = "") -> BodyModel:
    """Read an SMPL-format model (.npz, or .pkl through the restricted reader).

    Args:
        path: the file; None takes ``find_model_file()``. A model that is read already is given back as it is.
        engine: "smplx" poses with the package ``smplx``; "" with this project's own forward pass.

    Raises:
        HvrError: the file is missing, unsafe or not an SMPL model, or smplx is not installed.
    """
    if engine not in ("", "smplx"):
        raise HvrError(f'there is no engine {engine!r}; take "smplx", or leave it out')
    if engine:
        own = load_body_model(path)
        shared = (own.v_template, own.shapedirs, own.posedirs, own.J_regressor, own.weights)
        return replace(own, engine=SmplxEngine(*shared, own.faces, own.parents))
    if isinstance(path, BodyModel):
        return path
    path = Path(path or find_model_file())
    if not path.is_file():
        raise HvrError(f"{path} is missing or no file: put SMPL_NEUTRAL.pkl there or pass another model file")
    return _load(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _load(path: Path, _changed: int) -> BodyModel:
    digest = file_digest(path)
    raw = read_smpl_pickle(path) if path.suffix == ".pkl" else read_smpl_npz(path)
    return _from_arrays(raw, digest, path)


def _check(raw: dict, path: Path) -> None:
    """Refuse arrays that are missing, of the wrong shape or not finite, and indices out of range."""
    needed = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
    missing = [key for key in needed if key not in raw]
    if missing:
        raise HvrError(f"{path} is not an SMPL model: it has no {', '.join(missing)}")
    v = len(raw["v_template"]) if raw["v_template"].ndim else 0
    if raw["posedirs"].shape[-1:] != (207,) or raw["J_regressor"].shape[:1] != (24,):
        raise HvrError(f"{path} is not a 24-joint SMPL model (SMPL-H and SMPL-X are not read here)")
    shapes = {"v_template": (v, 3), "posedirs": (v, 3, 207), "J_regressor": (24, v), "weights": (v, 24)}
    wrong = [k for k, shape in shapes.items() if raw[k].shape != shape]
    if raw["shapedirs"].ndim != 3 or raw["shapedirs"].shape[:2] != (v, 3) or raw["shapedirs"].shape[2] < 10:
        wrong.append("shapedirs")
    if raw["f"].ndim != 2 or raw["f"].shape[1] != 3 or raw["f"].astype(np.int64).max(initial=0) >= v:
        wrong.append("f")
    parents = raw["kintree_table"].astype(np.int64).reshape(-1, raw["kintree_table"].shape[-1])[0]
    if len(parents) != 24 or (parents[1:] < 0).any() or (parents[1:] >= np.arange(1, 24)).any():
        wrong.append("kintree_table")
    wrong += [k for k in shapes if k not in wrong and not np.isfinite(raw[k]).all()]
    if wrong or ("body25" not in raw and v <= max(LANDMARK_VERTICES.values())):
        wrong = ", ".join(wrong) or "so few vertices"
        raise HvrError(f"{path} is not an SMPL model: {wrong} cannot be used")


def _from_arrays(raw: dict, digest: str, path: Path) -> BodyModel:
    _check(raw, path)

    def tensor(a) -> Tensor:
        return torch.as_tensor(np.array(a, np.float32, order="C"))

    regressor = np.asarray(raw["J_regressor"], np.float32)
    return BodyModel(
        v_template=tensor(raw["v_template"]),
        shapedirs=tensor(raw["shapedirs"][:, :, :10]),
        posedirs=tensor(raw["posedirs"].reshape(-1, 207).T),
        J_regressor=tensor(regressor),
        weights=tensor(raw["weights"]),
        faces=raw["f"].astype(np.int64),
        parents=(-1, *(int(p) for p in raw["kintree_table"].astype(np.int64)[0, 1:])),
        body25=tensor(raw["body25"] if "body25" in raw else body25_regressor(regressor)),
        hash=digest,
        name="open body" if path == OPEN_BODY else path.name,
        uv=np.asarray(raw["vt"], np.float32) if "vt" in raw else None,
        uv_faces=raw["ft"].astype(np.int64) if "ft" in raw else None,
    )


def body25_regressor(J_regressor: np.ndarray) -> np.ndarray:
    """(25, V) regressor of BODY_25 from SMPL's (24, V): joints, means, single vertices (docs/body.md, 3)."""
    rows = np.zeros((25, J_regressor.shape[1]), np.float32)
    limbs = {2: 17, 3: 19, 4: 21, 5: 16, 6: 18, 7: 20, 9: 2, 10: 5, 11: 8, 12: 1, 13: 4, 14: 7}
    for row, joint in limbs.items():
        rows[row] = J_regressor[joint]
    rows[1], rows[8] = (rows[2] + rows[5]) / 2, (rows[9] + rows[12]) / 2
    face_and_feet = {0: "nose", 15: "right_eye", 16: "left_eye", 17: "right_ear", 18: "left_ear",
                     19: "left_big_toe", 20: "left_small_toe", 21: "left_heel",
                     22: "right_big_toe", 23: "right_small_toe", 24: "right_heel"}  # fmt: skip
    for row, name in face_and_feet.items():
        rows[row, LANDMARK_VERTICES[name]] = 1.0
    return rows


def single_pose(pose) -> tuple[np.ndarray, np.ndarray]:
    """(1, 72) and (1, 3) of a Body of one frame or of (poses, transl)."""
    poses, transl = (pose.poses, pose.transl) if isinstance(pose, Body) else pose
    poses, transl = np.asarray(poses).reshape(-1, 72), np.asarray(transl).reshape(-1, 3)
    if len(poses) != 1 or len(transl) != 1:
        raise HvrError(f"one picture takes one pose, not {len(poses)}; use body.frame(k)")
    return poses, transl
