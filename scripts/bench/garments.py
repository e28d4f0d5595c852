"""Synthetic subjects: the garments of method "recmv" against the true ones, in poses of the clip.

Two studies: with the true body, silhouettes and labels; and with everything estimated from the video alone.
A garment's topology is right where it has its name, its curves, one piece, no handle and no bad edge.
The figures of every outfit, seed and study are kept in data/bench/garments as soon as they are known; what is
kept is not measured again. Ends with one line of name=value pairs, means over the subjects.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.drawing.shading import views
from hvr_nb.evaluate.stages import find_truth, keep_truth, synthetic_video
from hvr_nb.fit import fit_body, level_body
from hvr_nb.geometry.camera import choose_camera, similarity, undistort_images
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.open_mesh import topology
from hvr_nb.keypoints import follow_person
from hvr_nb.lift import lift_skeleton
from hvr_nb.masks import parse_person, segment_person
from hvr_nb.methods import recmv
from hvr_nb.metrics.surfaces import surface_quality
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_json, write_image, write_json
from hvr_nb.store.places import ROOT
from hvr_nb.store.video import read_video
from hvr_nb.subject import OUTFITS
from hvr_nb.subject.person import Subject, pose_subject
from hvr_nb.subject.truth_garments import shaped_rest, true_garments
from hvr_nb.surface.garments.outside import penetration
from hvr_nb.types import Garment, HvrError, Mesh
from scripts.bench.surface import closer
from scripts.bench.synthetic import true_clip

DENSE = 1000  # points of a curve for its distance
POSES = 4  # frames in which garments are compared
OPEN = ("opening", "hem")  # of a jacket, these curves are open
LEAST_SEEN = 10  # points of a curve that must be seen for it to be compared
KEPT = ROOT / "data" / "bench" / "garments"
ASKED = ("true_topology_pct", "true_curve_mm", "true_chamfer_mm", "penetration_pct",
         "video_topology_pct", "video_curve_mm", "video_chamfer_mm", "seconds", "peak_gb")  # fmt: skip


class TrueGarment:
    """A garment of the subject that can be posed, and which of its vertices no other garment hides."""

    def __init__(self, subject: Subject, garment: Garment):
        (worn,) = (w for w in subject.worn if w.layer.name == garment.name)
        layer = worn.layer
        self.garment = garment
        near = cKDTree(layer.positions).query(garment.mesh.vertices)[1]
        self.subject = replace(
            subject, positions=garment.mesh.vertices, weights=layer.weights[near], carry=layer.carry[near]
        )
        tree = cKDTree(garment.mesh.vertices)
        self.curves = {name: tree.query(points)[1] for name, points in garment.curves.items()}
        on_body = layer.carry[near] @ shaped_rest(subject)
        above = [w.covers(on_body) for w in subject.worn if w.layer.name in worn.under]
        # what a closed garment hides is cut off already
        self.seen = np.maximum.reduce([np.full(len(on_body), -1.0), *above]) <= 1e-6

    def posed(self, body) -> Garment:
        """The garment in a body of one frame, world metres."""
        x = pose_subject(self.subject, body)[0]
        curves = {name: x[index] for name, index in self.curves.items()}
        return Garment(self.garment.name, Mesh(x, self.garment.mesh.faces), curves)

    def shown(self, mesh: Mesh, there: Mesh) -> Mesh:
        """The faces of a mesh that lie where the posed true garment ``there`` is seen."""
        near = cKDTree(there.vertices).query(mesh.vertices[mesh.faces].mean(1))[1]
        return Mesh(mesh.vertices, mesh.faces[self.seen[near]])


def dense(points: np.ndarray, *, closed: bool) -> np.ndarray:
    """(DENSE, 3) points of a curve (N, 3), evenly spaced."""
    line = np.r_[points, points[:1]] if closed else points
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    at = np.linspace(0, along[-1], DENSE)
    return np.stack([np.interp(at, along, column) for column in line.T], 1)


def curve_distance(found: np.ndarray, true: np.ndarray, seen: np.ndarray, *, closed: bool) -> float | None:
    """Mean distance in mm of two curves, both ways; of what is ``seen`` of the true one, if that is not all.

    Returns:
        None where the true curve is hidden.
    """
    mine = dense(found, closed=closed)
    if seen.all():
        wanted = dense(true, closed=closed)
        return 500 * float(cKDTree(mine).query(wanted)[0].mean() + cKDTree(wanted).query(mine)[0].mean())
    if seen.sum() < LEAST_SEEN:
        return None
    return 1000 * float(cKDTree(mine).query(true[seen])[0].mean())


def is_right(found: Garment | None, true: Garment) -> bool:
    """Whether a garment has the true one's curves and topology."""
    if found is None or set(found.curves) != set(true.curves):
        return False
    mine, wanted = topology(found.mesh.faces), topology(true.mesh.faces)
    return mine.sound and (mine.loops, mine.genus, mine.pieces) == (wanted.loops, wanted.genus, wanted.pieces)


def compare(avatar, truth, *, align: bool) -> dict[str, float]:
    """Means over the true garments; of curves and surfaces those of garments that were found."""
    subject = truth.subject()
    trues = [TrueGarment(subject, g) for g in true_garments(subject, seen=True)]
    names = {g.name: g for g in avatar.garments()}
    right = [is_right(names.get(t.garment.name), t.garment) for t in trues]
    rows: dict[str, list[float]] = {"curve_mm": [], "chamfer_mm": [], "normal_deg": [], "penetration_pct": []}
    joints = posed(avatar.model, avatar.body)[1]
    for k in spread_indices(len(avatar.body), POSES + 1)[:-1]:
        pose = avatar.body.frame(int(k))
        mine = {g.name: g for g in avatar.garments(pose, frame=int(k))}
        bare = avatar.layers(pose, frame=int(k))["body"]
        for true in trues:
            found, there = mine.get(true.garment.name), true.posed(truth.body.frame(int(k)))
            if found is None:
                continue
            inside = penetration(found.mesh.vertices, found.mesh.faces, bare.vertices, bare.faces)
            rows["penetration_pct"].append(100 * inside)
            if align:
                found = aligned(found, there, joints[k], truth.joints[k])
            parts = (true.shown(g.mesh, there.mesh) for g in (found, there))
            quality = surface_quality(*parts, samples=30_000, outer=False)
            rows["chamfer_mm"].append(quality["chamfer_mm"])
            rows["normal_deg"].append(quality["normal_deg"])
            for name in set(found.curves) & set(there.curves):
                closed = found.name != "jacket" or name not in OPEN
                seen = true.seen[true.curves[name]]
                error = curve_distance(found.curves[name], there.curves[name], seen, closed=closed)
                if error is not None:
                    rows["curve_mm"].append(error)
    means = {name: float(np.mean(values)) if values else float("nan") for name, values in rows.items()}
    return {"topology_pct": 100 * float(np.mean(right))} | means


def aligned(found: Garment, true: Garment, joints: np.ndarray, true_joints: np.ndarray) -> Garment:
    """A garment after the skeletons' similarity and iterated closest points on the true one."""
    names = list(found.curves)
    whole = np.concatenate([found.mesh.vertices, *(found.curves[n] for n in names)])
    s, R, t = similarity(joints, true_joints)
    moved = closer(Mesh(s * whole @ R.T + t, found.mesh.faces), true.mesh).vertices
    ends = np.cumsum([len(found.mesh.vertices), *(len(found.curves[n]) for n in names)])
    curves = {n: moved[a:b] for n, a, b in zip(names, ends[:-1], ends[1:], strict=True)}
    return Garment(found.name, Mesh(moved[: ends[0]], found.mesh.faces), curves)


def measure(clip, options: recmv.Options, *, align: bool, pictures: Path) -> dict:
    """Reconstruct the garments of a clip, and compare with the truth."""
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        try:
            avatar = recmv.reconstruct(clip, options)
        except HvrError as error:
            return {"topology_pct": 0.0, "said": [f"failed: {error}"]}
    row = {"seconds": time.perf_counter() - start}
    row |= compare(avatar, find_truth(clip), align=align)
    row["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    row["found"] = [name for name in avatar.names if name != "body"]
    row["said"] = [str(w.message) for w in said]
    for garment in avatar.garments():
        plain = replace(garment.mesh, colors=None)
        target = pictures.with_name(f"{pictures.name}_{garment.name}.png")
        write_image(target, np.concatenate(views(plain, height=500), 1))
    return row


def subject_clip(source: Path, study: str) -> Clip:
    """The clip of a synthetic video up to 04_canonical: by the truth, or from the video alone."""
    folder = ROOT / "data/clips" / f"garments_{source.name}_{study}"
    if not (folder / "canonical.npz").is_file():
        return true_clip(folder, source) if study == "true" else estimated_clip(folder, source / "video.mp4")
    return Clip.open(folder)


def estimated_clip(folder: Path, video: Path) -> Clip:
    """A clip made as notebooks 00 to 04 make it, from a video alone."""
    film = read_video(video)
    camera = choose_camera(*film.frames.shape[2:0:-1], metadata_focal=film.info["focal"])
    images, camera = undistort_images(film.frames, camera)
    made = {"fps": film.fps, "names": film.names, "times": film.times}
    clip = Clip.create(folder, images, **made, source={**film.info, "path": str(video.resolve())})
    clip.save("camera", camera)
    keep_truth(clip, video)
    clip.save("keypoints", follow_person(clip.frames, fps=clip.fps)[0])
    masks = segment_person(clip.frames, clip.keypoints)
    clip.save("masks", parse_person(clip.frames, masks, clip.keypoints))
    model = load_body_model()
    lifted = lift_skeleton(clip.keypoints, clip.camera, fps=clip.fps)
    when = {"fps": clip.fps, "times": clip.times, "model": model}
    clip.save(
        "body", level_body(fit_body(clip.keypoints, clip.masks, clip.camera, **when, lifted=lifted), model)
    )
    clip.save("canonical", make_canonical(clip.body, model))
    return clip


def main() -> None:
    """Run the studies named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outfits", nargs="+", choices=OUTFITS, default=list(OUTFITS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="each outfit with each seed")
    parser.add_argument("--frames", type=int, default=24, help="asked for are 60")
    parser.add_argument("--size", type=int, default=320, help="pixels; asked for are 512")
    parser.add_argument("--study", nargs="+", choices=("true", "video"), default=["true", "video"])
    parser.add_argument("--cell", type=float, default=recmv.Options().cell, help="metres")
    parser.add_argument("--again", action="store_true", help="measure again what is kept")
    args = parser.parse_args()
    options, rows = recmv.Options(cell=args.cell), []
    for study in args.study:
        for seed in args.seeds:
            for outfit in args.outfits:
                size = {"frames": args.frames, "size": args.size, "seed": seed}
                kept = (
                    KEPT
                    / f"{outfit}_{args.frames}f_{args.size}px_{1000 * args.cell:g}mm_seed{seed}_{study}.json"
                )
                if not kept.is_file() or args.again:
                    source = synthetic_video(ROOT / "data/synthetic", outfit=outfit, motion="rotate", **size)
                    pictures = KEPT / kept.stem
                    clip = subject_clip(source, study)
                    row = measure(clip, options, align=study == "video", pictures=pictures)
                    write_json(kept, row | {"study": study})
                row = read_json(kept, remedy="delete it")
                rows.append(row)
                shown = (f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items())
                print(outfit, seed, " ".join(shown), flush=True)
    print(summary(rows))


def summary(rows: list[dict]) -> str:
    """The last line: means over the rows, of time and memory the most."""
    values: dict[str, list[float]] = {}
    for row in rows:
        for key, value in row.items():
            if isinstance(value, float):
                shared = key in ("seconds", "penetration_pct", "peak_gb")
                values.setdefault(key if shared else f"{row['study']}_{key}", []).append(value)
    worst = {"peak_gb": np.nanmax, "seconds": np.nanmax}
    figures = {key: float(worst.get(key, np.nanmean)(each)) for key, each in values.items()}
    order = [*(k for k in figures if k not in ASKED), *(k for k in ASKED if k in figures)]
    return " ".join(f"{key}={figures[key]:.4g}" for key in order)


if __name__ == "__main__":
    main()
