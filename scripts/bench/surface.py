"""Synthetic subjects: the clothed mesh of method "selfrecon" against the true one, frame by frame.

Three studies: with the true body and silhouettes; with the true normal maps too; and with everything
estimated from the video alone. Ends with one line of name=value pairs, means over the subjects.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from hvr_nb.batch import run_chain
from hvr_nb.body.model import posed
from hvr_nb.canonical.binding import bind_mesh, carried, just_off, pose_skin
from hvr_nb.drawing.pictures import to_uint8
from hvr_nb.drawing.shading import views
from hvr_nb.evaluate.stages import find_truth, novel_view_quality, synthetic_video
from hvr_nb.export.avatar import avatar_texture
from hvr_nb.geometry.camera import camera_centre, similarity
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.geometry.raster import rasterize
from hvr_nb.methods import selfrecon
from hvr_nb.metrics.images import iou
from hvr_nb.metrics.surfaces import jacobians, outer_faces, surface_quality, surface_samples
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import write_image
from hvr_nb.store.places import ROOT
from hvr_nb.subject.person import pose_subject
from hvr_nb.subject.render import render_subject, sample, shading
from hvr_nb.surface.texture.views import find_texels, observe
from hvr_nb.types import Mesh, Normals
from scripts.bench.synthetic import true_clip

SWING = np.radians(30)  # of each leg, forwards and backwards
OFF = 0.002  # metres off the mesh, where the third direction of its Jacobian is measured
FINE = 3  # points of the subject per side of a pixel
LOOSE = 0.1  # looseness from which a vertex is loose: the skirt, and the part of the body bound like it


def compare(avatar, truth, subject, frames, *, align: bool) -> dict[str, float]:
    """Mean of ``surface_quality`` over frames; ``align``: after the skeletons' similarity and ICP."""
    joints = posed(avatar.model, avatar.body)[1]
    rows = []
    for k in frames:
        true = Mesh(pose_subject(subject, truth.body.frame(int(k)))[0], subject.faces)
        found = avatar.mesh(int(k))
        if align:
            s, R, t = similarity(joints[k], truth.joints[k])
            found = closer(replace(found, vertices=s * found.vertices @ R.T + t), true)
        rows.append(surface_quality(found, true))
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def closer(found: Mesh, true: Mesh, *, steps: int = 20) -> Mesh:
    """``found`` moved, turned and scaled onto ``true`` by iterated closest points."""
    target = surface_samples(true, 20_000)[0]
    tree = cKDTree(target)
    for _ in range(steps):
        points = surface_samples(found, 20_000)[0]
        s, R, t = similarity(points, target[tree.query(points)[1]])
        found = replace(found, vertices=s * found.vertices @ R.T + t)
    return found


def smallest_jacobian(avatar) -> tuple[float, float]:
    """Least and first percentile of ``jacobians`` of all loose faces while the legs swing."""
    vertices, canonical = avatar.made.vertices, avatar.canonical
    faces = avatar.made.faces
    faces = faces[(avatar.looseness() > LOOSE)[faces].all(1)]
    if not len(faces):
        return float("nan"), float("nan")
    bound = bind_mesh(vertices, avatar.made.faces, canonical)
    off = just_off(bound, vertices, avatar.made.faces, canonical, OFF)

    def placed(body):
        skin = pose_skin(avatar.model, body.betas, body.poses, body.transl)
        return [
            carried(b, canonical.faces, skin.vertices[0], skin.world[0]).astype(float) for b in (bound, off)
        ]

    start = avatar.body.frame(0)
    before, values = placed(start), []
    for angle in (-SWING, -SWING / 2, SWING / 2, SWING):
        pose = start.body_pose.copy()
        pose[0, 0], pose[0, 3] = pose[0, 0] + angle, pose[0, 3] - angle
        values.append(jacobians(faces, *before, *placed(replace(start, body_pose=pose))))
    values = np.concatenate(values)
    return float(values.min()), float(np.percentile(values, 1))


def texture_psnr(avatar, clip, truth, subject, *, size: int = 1024) -> dict[str, float]:
    """PSNR of the baked texture against the subject's painted colours under its lamp, on seen texels.

    The truth of a texel is the nearest point of the subject that the camera sees in the frame that shows the
    texel best, because the texture contains the light of the film, and the surface beneath a hem or the hair
    was not filmed. Texels that no frame shows are compared with the nearest outer point in the frame that
    they face most.
    """
    texture = avatar_texture(avatar, clip.frames, clip.masks, size=size)
    texels = find_texels(texture.uv, texture.uv_faces, size)
    meshes = [avatar.surface(avatar.body.frame(k)) for k in range(len(avatar.body))]
    frame, shown = best_frames(meshes, texels, clip, avatar.body.camera)
    true = true_colours(meshes, texels, frame, shown, subject, truth.body, avatar.body.camera)
    got, seen = texture.image.reshape(-1, 3)[texels.flat], texture.seen.ravel()[texels.flat]
    made = {"texture_psnr": (got[seen] - true[seen]) ** 2, "unseen_psnr": (got[~seen] - true[~seen]) ** 2}
    return {"texture_seen_pct": texture.seen_pct} | {
        k: 10 * np.log10(255**2 / v.mean()) for k, v in made.items()
    }


def best_frames(meshes, texels, clip, camera) -> tuple[np.ndarray, np.ndarray]:
    """(N,) frame that shows a texel and in which it faces the camera most; (N,) bool: if there is one."""
    best, shown = np.full(len(texels.flat), -1.0), np.zeros(len(texels.flat), bool)
    frame = np.zeros(len(best), int)
    for k, mesh in enumerate(meshes):
        toward = camera_centre(camera) - mesh.vertices
        cosine = (vertex_normals(mesh.vertices, mesh.faces) * toward).sum(1) / np.linalg.norm(toward, axis=1)
        now = on_surface(cosine[:, None].astype(np.float32), mesh.faces, texels.face, texels.bary)[:, 0]
        seen = np.zeros(len(best), bool)
        seen[observe(mesh, texels, clip.frames[k], clip.masks.alpha[k], camera)[0]] = True
        better = (seen & ~shown) | ((seen == shown) & (now > best))
        best[better], frame[better] = now[better], k
        shown |= seen
    return frame, shown


def true_colours(meshes, texels, frame, shown, subject, body, camera) -> np.ndarray:
    """(N, 3) colours, 0..255, of the subject where the texels are; arguments as ``best_frames`` gives."""
    poses, true = pose_subject(subject, body), np.zeros((len(frame), 3))
    outer = np.flatnonzero(outer_faces(Mesh(poses[0], subject.faces)))
    for k, mesh in enumerate(meshes):
        _, face, bary = rasterize(poses[k], subject.faces, camera.scaled(FINE))
        face, bary = face[face >= 0], bary[face >= 0]
        seen, hidden = (np.flatnonzero((frame == k) & mine) for mine in (shown, ~shown))
        nearest = cKDTree(on_surface(poses[k], subject.faces, face, bary)).query(place(mesh, texels, seen))[1]
        true[seen] = painted(subject, poses[k], face[nearest], bary[nearest])
        face, bary, _ = nearest_surface(place(mesh, texels, hidden), poses[k], subject.faces[outer])
        true[hidden] = painted(subject, poses[k], outer[face], bary)
    return true


def place(mesh, texels, at) -> np.ndarray:
    """(M, 3) positions of the texels ``at`` (M,) on a posed mesh, metres."""
    return on_surface(mesh.vertices, mesh.faces, texels.face[at], texels.bary[at])


def painted(subject, vertices, face, bary) -> np.ndarray:
    """(M, 3) colours, 0..255, of the subject under its lamp at points of its posed faces."""
    normal = on_surface(vertex_normals(vertices, subject.faces), subject.faces, face, bary)
    lit = shading(normal / np.linalg.norm(normal, axis=1, keepdims=True))
    return sample(subject.texture, np.einsum("nkc,nk->nc", subject.uv[face], bary)) * lit[:, None]


def true_normals(clip) -> Normals:
    """The normal maps of a clip of the synthetic subject, rendered again."""
    truth = find_truth(clip)
    vectors = render_subject(truth.subject(), truth.body).normals
    return Normals(np.rint(127 * vectors.astype(np.float32)).astype(np.int8))


def measure(clip, *, align: bool, pictures: Path) -> dict[str, float]:
    """Reconstruct the person of a clip, and compare with the truth."""
    start = time.perf_counter()
    avatar = selfrecon.reconstruct(clip)
    row = {"seconds": time.perf_counter() - start}
    rounds = avatar.history["seconds"]
    row |= {"coarse_seconds": rounds[2], "fine_seconds": rounds[5] - rounds[2]}
    truth = find_truth(clip)
    frames = spread_indices(len(clip.frames), 5)[:-1]
    row |= compare(avatar, truth, truth.subject(), frames, align=align)
    drawn = [
        avatar.render(avatar.body.camera, avatar.body.frame(k), frame=k) for k in range(len(avatar.body))
    ]
    row["iou"] = float(
        np.mean([iou(to_uint8(p.alpha), a) for p, a in zip(drawn, clip.masks.alpha, strict=True)])
    )
    row["novel_body_psnr"] = novel_view_quality(avatar, avatar.body, truth, avatar.model)[0][
        "novel_body_psnr"
    ]
    row |= texture_psnr(avatar, clip, truth, truth.subject()) if not align else {}
    row["least_jacobian"], row["jacobian_p1"] = smallest_jacobian(avatar)
    row["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    surface = avatar.surface(avatar.body.frame(0))
    for name, mesh in (("shape", replace(surface, colors=None)), ("colours", surface)):
        write_image(
            pictures.with_name(f"{pictures.name}_{name}.png"), np.concatenate(views(mesh, height=600), 1)
        )
    return row


def main() -> None:
    """Run the studies named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outfits", nargs="+", default=["trousers", "shorts", "skirt"])
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--study", nargs="+", choices=("truth", "normals", "chain"), default=["truth", "chain"]
    )
    args = parser.parse_args()
    totals: dict[str, list[float]] = {}
    for outfit in args.outfits:
        source = synthetic_video(
            ROOT / "data/synthetic",
            outfit=outfit,
            motion="rotate",
            frames=args.frames,
            size=args.size,
            seed=args.seed,
        )
        for study in args.study:
            ending = {"truth": "true", "normals": "normals", "chain": "estimated"}[study]
            folder = ROOT / "data/clips" / f"surface_{source.name}_{ending}"
            if study == "chain":
                run_chain(source / "video.mp4", folder, notebooks_dir=ROOT / "notebooks", to_stage="04")
                clip = Clip.open(folder)
            else:
                clip = true_clip(folder, source)
            if study == "normals":
                clip.save("normals", true_normals(clip))
            row = measure(clip, align=study == "chain", pictures=folder / "renders" / "bench_surface")
            print(outfit, ending, " ".join(f"{k}={v:.4g}" for k, v in row.items()), flush=True)
            for key, value in row.items():
                totals.setdefault(f"{ending}_{key}", []).append(value)
    print(" ".join(f"{key}={np.nanmean(values):.4g}" for key, values in totals.items()))


if __name__ == "__main__":
    main()
