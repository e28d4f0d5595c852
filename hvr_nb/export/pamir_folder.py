"""A clip as PaMIR's folder of pictures, and its meshes as PaMIR's results (docs/pamir.md, 12)."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.body.worlds import rest_pelvis
from hvr_nb.formats.joints2d.openpose import write_openpose
from hvr_nb.formats.models.mesh_file import save_mesh
from hvr_nb.geometry.camera import undistort_images
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.methods.pamir.avatar import FrameAvatar
from hvr_nb.methods.pamir.crop import Crops, make_crops
from hvr_nb.store.atomic_files import atomic_folder
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import write_image
from hvr_nb.types import MONOCULAR_R, Body, Mesh

SIDE = 512  # pixels of a crop


def write_pamir_pictures(clip: Clip, folder: str | Path, *, avatar: FrameAvatar | None = None) -> Path:
    """Write crops, masks, joints and bodies of a clip as PaMIR reads them; with an avatar its results too.

    The folder gets ``X.png``, ``X_mask.png``, ``X_keypoints.json`` and ``X_smplparams.pkl`` of each frame X.
    ``results/X.obj`` has vertices, normals and faces, ``results/X_tex.obj`` colours, both in the unit cube.

    Args:
        folder: a new or empty one. avatar: of method "pamir".

    Raises:
        HvrError: a stage before is missing, or the folder holds files.
    """
    clip.require("frames", "keypoints", "masks", "body")
    model, body, folder = load_body_model(), clip.body, Path(folder)
    vertices = posed(model, body)[0].astype(np.float64)
    frames, camera = undistort_images(clip.frames, body.camera)
    alpha, _ = undistort_images(clip.masks.alpha, body.camera)
    crops = avatar.crops if avatar else make_crops(vertices, camera)
    with atomic_folder(folder, ours=set()) as new:
        write_openpose(new, _in_crops(clip.keypoints, crops), names=clip.frame_names)
        for k, name in enumerate(tqdm(clip.frame_names, desc=f"writing {folder.name}", unit="frame")):
            write_image(new / f"{name}.png", crops.cut(frames[k], k, side=SIDE))
            write_image(new / f"{name}_mask.png", crops.cut(alpha[k], k, side=SIDE))
            rest = rest_pelvis(model, body.betas)
            values = cube_parameters(body.frame(k), vertices[k], crops, k, rest) | {"model_hash": model.hash}
            (new / f"{name}_smplparams.pkl").write_bytes(pickle.dumps(values))
            if avatar:
                _write_result(new / "results", name, avatar.mesh(k), crops, k)
    return folder


def cube_parameters(body: Body, vertices: np.ndarray, crops: Crops, frame: int, pelvis: np.ndarray) -> dict:
    """PaMIR's parameters of one frame's body: the similarity nearest to where its vertices lie in the cube.

    Args:
        body: one frame. vertices: (V, 3) posed, world metres. pelvis: (3,) of the shape at rest, metres.
    """
    axes = MONOCULAR_R @ crops.camera.R  # the world's axes to the cube's
    orient = (Rotation.from_matrix(axes) * Rotation.from_rotvec(body.global_orient[0])).as_rotvec()
    turned = (
        vertices - body.transl[0] - pelvis
    ) @ axes.T + pelvis  # as SMPL gives them with that orientation
    cube = crops.to_cube(vertices, frame)
    a, b = turned - turned.mean(0), cube - cube.mean(0)
    scale = float((a * b).sum() / (a * a).sum())
    return {
        "betas": body.betas.astype(np.float32),
        "body_pose": np.concatenate([orient, body.body_pose[0]]).astype(np.float32),
        "body_scale": np.array([scale], np.float32),
        "global_body_translation": (cube.mean(0) - scale * turned.mean(0)).astype(np.float32),
    }


def _in_crops(keypoints, crops: Crops):
    """The joints in pixels of the crops, lens distortion left in."""
    ratio = (SIDE / crops.sides)[:, None, None]
    points = keypoints.points.astype(float).copy()
    points[..., :2] = (points[..., :2] - crops.centres[:, None]) * ratio + SIDE / 2
    points[..., :2] *= points[..., 2:] > 0
    return replace(keypoints, points=points)


def _write_result(folder: Path, name: str, mesh: Mesh, crops: Crops, frame: int) -> None:
    cube = crops.to_cube(mesh.vertices.astype(np.float64), frame)
    normals = vertex_normals(cube, mesh.faces)
    lines = ["v {:.6f} {:.6f} {:.6f}".format(*v) for v in cube]
    lines += ["vn {:.4f} {:.4f} {:.4f}".format(*n) for n in normals]
    lines += ["f {0}//{0} {1}//{1} {2}//{2}".format(*face) for face in mesh.faces + 1]
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.obj").write_text("\n".join(lines) + "\n")
    save_mesh(Mesh(cube, mesh.faces, mesh.colors), folder / f"{name}_tex.obj")
