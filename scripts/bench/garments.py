"""Synthetic subjects: the garments of method "recmv" against the true ones, in poses of the clip.

Two studies: with the true body, silhouettes and labels; and with everything estimated from the video alone.
A garment's topology is right where it has its name, its curves, one piece, no handle and no bad edge.
Ends with one line of name=value pairs, means over the subjects.
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

from hvr_nb.batch import run_chain
from hvr_nb.body.model import posed
from hvr_nb.drawing.shading import views
from hvr_nb.evaluate.stages import find_truth, synthetic_video
from hvr_nb.geometry.camera import similarity
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.open_mesh import topology
from hvr_nb.methods import recmv
from hvr_nb.metrics.surfaces import surface_quality
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import write_image
from hvr_nb.store.places import ROOT
from hvr_nb.subject import OUTFITS
from hvr_nb.subject.person import Subject, pose_subject
from hvr_nb.subject.truth_garments import true_garments
from hvr_nb.surface.garments.outside import penetration
from hvr_nb.types import Garment, HvrError, Mesh
from scripts.bench.surface import closer
from scripts.bench.synthetic import true_clip

DENSE = 1000  # points of a curve for its distance
POSES = 4  # frames in which garments are compared
OPEN = ("opening", "hem")  # of a jacket, these curves are open


class TrueGarment:
    """A garment of the subject that can be posed."""

    def __init__(self, subject: Subject, garment: Garment):
        (layer,) = (w.layer for w in subject.worn if w.layer.name == garment.name)
        self.garment = garment
        near = cKDTree(layer.positions).query(garment.mesh.vertices)[1]
        self.subject = replace(
            subject, positions=garment.mesh.vertices, weights=layer.weights[near], carry=layer.carry[near]
        )
        tree = cKDTree(garment.mesh.vertices)
        self.curves = {name: tree.query(points)[1] for name, points in garment.curves.items()}

    def posed(self, body) -> Garment:
        """The garment in a body of one frame, world metres."""
        x = pose_subject(self.subject, body)[0]
        curves = {name: x[index] for name, index in self.curves.items()}
        return Garment(self.garment.name, Mesh(x, self.garment.mesh.faces), curves)


def dense(points: np.ndarray, *, closed: bool) -> np.ndarray:
    """(DENSE, 3) points of a curve (N, 3), evenly spaced."""
    line = np.r_[points, points[:1]] if closed else points
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    at = np.linspace(0, along[-1], DENSE)
    return np.stack([np.interp(at, along, column) for column in line.T], 1)


def curve_distance(one: np.ndarray, other: np.ndarray, *, closed: bool) -> float:
    """Mean distance in mm of two curves, both ways."""
    a, b = dense(one, closed=closed), dense(other, closed=closed)
    return 500 * float(cKDTree(a).query(b)[0].mean() + cKDTree(b).query(a)[0].mean())


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
            quality = surface_quality(found.mesh, there.mesh, samples=30_000)
            rows["chamfer_mm"].append(quality["chamfer_mm"])
            rows["normal_deg"].append(quality["normal_deg"])
            for name in set(found.curves) & set(there.curves):
                closed = found.name != "jacket" or name not in OPEN
                rows["curve_mm"].append(curve_distance(found.curves[name], there.curves[name], closed=closed))
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


def measure(clip, *, align: bool, pictures: Path) -> dict[str, float]:
    """Reconstruct the garments of a clip, and compare with the truth."""
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        try:
            avatar = recmv.reconstruct(clip)
        except HvrError as error:
            print(clip.name, "failed:", error, flush=True)
            return {"topology_pct": 0.0}
    row = {"seconds": time.perf_counter() - start}
    for warning in said:
        print(clip.name, "said:", warning.message, flush=True)
    row |= compare(avatar, find_truth(clip), align=align)
    row["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    for garment in avatar.garments():
        plain = replace(garment.mesh, colors=None)
        target = pictures.with_name(f"{pictures.name}_{garment.name}.png")
        write_image(target, np.concatenate(views(plain, height=500), 1))
    return row


def main() -> None:
    """Run the studies named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outfits", nargs="+", default=list(OUTFITS))
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--study", nargs="+", choices=("true", "video"), default=["true", "video"])
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
            folder = ROOT / "data/clips" / f"garments_{source.name}_{study}"
            if study == "video":
                run_chain(source / "video.mp4", folder, notebooks_dir=ROOT / "notebooks", to_stage="04")
                clip = Clip.open(folder)
            else:
                clip = true_clip(folder, source)
            row = measure(clip, align=study == "video", pictures=folder / "renders" / "bench_garments")
            print(outfit, study, " ".join(f"{k}={v:.4g}" for k, v in row.items()), flush=True)
            for key, value in row.items():
                shared = key in ("seconds", "penetration_pct", "peak_gb", "normal_deg")
                totals.setdefault(key if shared else f"{study}_{key}", []).append(value)
    worst = {"peak_gb": np.nanmax, "seconds": np.nanmax}
    figures = {key: float(worst.get(key, np.nanmean)(values)) for key, values in totals.items()}
    last = ("penetration_pct", "seconds", "peak_gb")
    order = [k for k in figures if k not in last] + [k for k in last if k in figures]
    print(" ".join(f"{key}={figures[key]:.4g}" for key in order))


if __name__ == "__main__":
    main()
