"""Bodies that other systems fitted, as a clip's body.

The content of the file tells which system wrote it, the clip's 2D joints which of its people is meant.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.joint_sets import H36M17_NAMES
from hvr_nb.body.kinematics import pose_body, rig_of
from hvr_nb.body.landmarks import h36m_table, place_landmarks
from hvr_nb.body.model import BodyModel, posed
from hvr_nb.body.motion import resample
from hvr_nb.body.worlds import rest_pelvis
from hvr_nb.formats.bodies import comotion, gvhmr, motions, phalp, prompthmr, romp, tram, vibe, wham
from hvr_nb.formats.bodies.people import PELVIS, FoundPerson
from hvr_nb.formats.datasets.easymocap import read_smpl
from hvr_nb.formats.joints2d.frames import match_pictures
from hvr_nb.formats.motion.up import stand_up
from hvr_nb.geometry.camera import project
from hvr_nb.store.result_files import read_results
from hvr_nb.types import Body, Camera, HvrError, Joints3D, Keypoints

_FLIP = np.diag([1.0, -1.0, -1.0])  # camera axes to a world with +Y up
# SMPL joint and the BODY_25 joint it is compared with
_SMPL, _BODY25 = (1, 2, 4, 5, 7, 8, 16, 17, 18, 19, 20, 21), (12, 9, 13, 10, 14, 11, 5, 2, 6, 3, 7, 4)
_FAR = 5.0  # larger sides; a longer focal length stands for an orthographic camera
_HEADINGS = 36  # headings tried for bodies without a camera
_READERS = (
    (gvhmr.is_gvhmr, gvhmr.read_gvhmr),
    (wham.is_wham, wham.read_wham),
    (vibe.is_vibe, vibe.read_vibe),
    (prompthmr.is_prompthmr, prompthmr.read_prompthmr),
    (comotion.is_comotion, comotion.read_comotion),
    (phalp.is_phalp, phalp.read_phalp),
    (romp.is_romp, romp.read_romp),
    (motions.is_smpl_codec, motions.read_smpl_codec),
    (motions.is_amass, motions.read_amass),
)
KNOWN = (
    "GVHMR, GENMO, WHAM, TRAM, PromptHMR, 4D-Humans (PHALP), ROMP, VIBE, PARE, CoMotion, .smpl, EasyMocap, "
    "AMASS"
)


@dataclass(frozen=True)
class ImportedBody:
    """A body that another system fitted, on the clip's frames."""

    body: Body
    source: str  # name of the system
    off: float  # median distance of its joints from the clip's 2D joints, share of the person's height

    def by(self, *, refined: bool) -> str:
        """The system's name, and whether the body was refined here."""
        return f"{self.source}, {'refined here' if refined else 'as it is'}"

    def __repr__(self) -> str:
        return f"ImportedBody({self.source}: {int(self.body.valid.sum())} frames, {100 * self.off:.1f} % off)"


def read_body(
    path: str | Path,
    *,
    names: list[str],
    camera: Camera,
    keypoints: Keypoints,
    model: BodyModel,
    film: dict | None = None,
) -> ImportedBody:
    """Read a body that another system fitted to the clip's film.

    Poses carry over to any body of SMPL's skeleton; betas only from SMPL to a licensed SMPL model,
    otherwise the mean shape is taken.

    Args:
        path: its result file; of TRAM the result folder, of EasyMocap the folder ``smpl``.
        names: T frame names of the clip. camera: the clip's. keypoints: of the clip; of several people the
            nearest is taken.
        model: the body model of the clip. film: what stage 00 noted, ``clip.info["source"]``.

    Returns:
        the body with the system's own camera (the clip's where it has none); frames that it left out
        are interpolated and not valid.

    Raises:
        HvrError: the layout is not known, the file is damaged, or nobody is where the clip's person is.
    """
    path, film = Path(path), film or {}
    if path.is_dir() and not tram.tram_tracks(path):
        body = read_smpl(path, camera=camera, model=model, names=names)
        return _checked(body, "EasyMocap", keypoints, model, path)
    source, people = _people(path, {"size": (camera.width, camera.height), **film})
    bodies = []
    for found in people:
        try:
            bodies.append(_on_clip(found, names, camera, keypoints, model, film, path))
        except HvrError as error:
            problem = error
    if not bodies:
        raise HvrError(f"{path}: {problem}")
    return _checked(
        min(bodies, key=lambda body: _off(body, keypoints, model)), source, keypoints, model, path
    )


def body_skeleton(body: Body, model: BodyModel) -> Joints3D:
    """The body's 17 joints of Human3.6M: the start of a fit (``fit_body(..., lifted=)``)."""
    rig = rig_of(model)
    points = place_landmarks(h36m_table(model), rig, pose_body(rig, body), body.betas).points
    return Joints3D(points.astype(np.float32), body.valid, H36M17_NAMES)


def _people(path: Path, film: dict) -> tuple[str, list[FoundPerson]]:
    """The name of the system that wrote a file, and the people it found."""
    tracks = tram.tram_tracks(path) if path.is_dir() else []
    content = read_results(tracks[0] if tracks else path)
    try:
        if tracks:
            return tram.read_tram([read_results(track) for track in tracks], tracks[0])
        if tram.is_tram(content):
            return tram.read_tram([content], path)
        _refuse_others(content)
        for is_so, read in _READERS:
            if is_so(content):
                source, people = read(content, film)
                if people:
                    return source, people
        keys = ", ".join(list(content)[:6]) if isinstance(content, dict) else type(content).__name__
    except HvrError as error:
        raise HvrError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise HvrError(
            f"{path} does not have the layout that its keys promise ({error!r}); write it again"
        ) from error
    raise HvrError(f"{path} holds {keys}, no result of a known system; known are {KNOWN}")


def _refuse_others(content) -> None:
    """Raise HvrError for systems that do not describe people by SMPL poses."""
    first = content[0] if isinstance(content, list) and content else content
    if isinstance(first, dict) and "mhr_model_params" in first:
        raise HvrError(
            "SAM 3D Body describes people by MHR, not SMPL; convert its meshes to SMPL first, or give its "
            "pred_keypoints_2d to 01_keypoints, as an npz with an array kpts (frames, 70, 2)"
        )
    if isinstance(first, dict) and "identity_coeffs" in str(
        list(first.get("body_params_global", first))[:12]
    ):
        raise HvrError("GEM-X describes people by SOMA's 77 joints, not SMPL; use GENMO's smpl_params.pt")
    if isinstance(content, np.ndarray):
        raise HvrError(f"an array of shape {content.shape} has no poses (Multi-HMR writes vertices only)")


def _on_clip(
    found: FoundPerson, names, camera: Camera, keypoints: Keypoints, model, film: dict, path: Path
) -> Body:
    """A found person as a Body of the clip's T frames."""
    counted = 0 if film.get("pictures") else int(film.get("frames") or 0)
    rows, note = match_pictures([str(f) for f in found.frames], names, film_frames=counted)
    pick = np.array([k for k, row in enumerate(rows) if row is not None])
    at = np.array([rows[k] for k in pick])
    if note:
        warnings.warn(f"{path.name}: {note}", stacklevel=4)
    betas = found.betas if found.kind == "smpl" and model.name != "open body" else np.zeros(10)
    ours, theirs = rest_pelvis(model, betas), np.array(PELVIS[found.kind])
    valid = np.ones(len(at), bool)
    poses, transl = found.poses[pick], found.transl[pick]
    if found.axes == "world":
        body = Body(betas, poses[:, :3], poses[:, 3:], transl + theirs - ours, camera, valid, model.hash)
        body = _placed(stand_up(body, "", path), at, keypoints, camera, model)
    else:
        film_size = tuple(int(v) for v in film.get("size") or (camera.width, camera.height))
        K = found.lens(film_size)
        K[:2] *= np.array([[camera.width / film_size[0]], [camera.height / film_size[1]]])
        if K[0, 0] > _FAR * max(camera.width, camera.height):
            # the clip's lens from nearer by shows the person at the same size and place
            ratio = camera.K[0, 0] / K[0, 0]
            transl, K = transl * (1.0, 1.0, ratio), np.diag([ratio, ratio, 1.0]) @ K
            K[:2, 2] = camera.width / 2, camera.height / 2
        lens = Camera(K, camera.width, camera.height, R=_FLIP, t=np.zeros(3), source="imported")
        orient = (Rotation.from_matrix(_FLIP) * Rotation.from_rotvec(poses[:, :3])).as_rotvec()
        body = Body(betas, orient, poses[:, 3:], (transl + theirs) @ _FLIP - ours, lens, valid, model.hash)
    whole = resample(body, at, np.arange(len(names)))
    return replace(whole, valid=np.isin(np.arange(len(names)), at))


def _placed(body: Body, at: np.ndarray, keypoints: Keypoints, camera: Camera, model: BodyModel) -> Body:
    """A body without a camera put before the clip's, by the 2D joints of the frames ``at``."""
    best = np.inf, body
    centred = replace(body, transl=np.zeros((len(body), 3)))
    for angle in np.arange(_HEADINGS) * 2 * np.pi / _HEADINGS:
        turn = Rotation.from_matrix(camera.R.T @ _FLIP) * Rotation.from_euler("y", angle)
        orient = (turn * Rotation.from_rotvec(body.global_orient)).as_rotvec()
        now = replace(centred, global_orient=orient)
        joints = posed(model, now)[1][:, _SMPL] @ camera.R.T
        shift, miss = _shift(joints, keypoints.points[at][:, _BODY25], camera)
        if miss < best[0]:
            best = miss, replace(now, transl=(shift - camera.t) @ camera.R)
    if not np.isfinite(best[0]):
        raise HvrError("no frame of it has the clip's person with six joints")
    return best[1]


def _shift(joints: np.ndarray, seen: np.ndarray, camera: Camera) -> tuple[np.ndarray, float]:
    """(N, 3) shift of joints (N, J, 3), camera axes, onto 2D joints (N, J, 3); the median error in pixels."""
    focal, centre = camera.K[[0, 1], [0, 1]], camera.K[:2, 2]
    shift, misses = np.full((len(joints), 3), np.nan), []
    for n, (x, p) in enumerate(zip(joints, seen, strict=True)):
        known = p[:, 2] > 0.1
        if known.sum() < 6:
            continue
        ray, x = (p[known, :2] - centre) / focal, x[known]
        A = np.zeros((known.sum(), 2, 3))
        A[:, 0, 0], A[:, 1, 1], A[:, :, 2] = 1.0, 1.0, -ray
        b = ray * x[:, 2:] - x[:, :2]
        shift[n] = np.linalg.lstsq(A.reshape(-1, 3), b.ravel(), rcond=None)[0]
        at = x + shift[n]
        misses.append(
            np.median(np.linalg.norm(at[:, :2] / at[:, 2:] - ray, axis=1))
            if (at[:, 2] > 0.1).all()
            else np.inf
        )
    good = np.isfinite(shift).all(1)
    if not good.any():
        return shift, np.inf
    frames = np.arange(len(shift))
    shift = np.stack([np.interp(frames, frames[good], axis[good]) for axis in shift.T], 1)
    return shift, float(np.median(misses))


def _off(body: Body, keypoints: Keypoints, model: BodyModel) -> float:
    """Median distance of a body's joints from the 2D joints, in heights of the person; inf without joints."""
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = project(posed(model, body)[1][:, _SMPL], body.camera)
    points = keypoints.points[:, _BODY25]
    both = (points[..., 2] > 0.1) & (body.valid & keypoints.found)[:, None]
    if not both.any():
        return np.inf
    gap = np.linalg.norm(drawn - points[..., :2], axis=-1)[both]
    heights = [np.ptp(p[here, 1]) for p, here in zip(points, both, strict=True) if here.any()]
    return float(np.nanmedian(gap) / max(np.median(heights), 1.0))


def _checked(body: Body, source: str, keypoints: Keypoints, model: BodyModel, path: Path) -> ImportedBody:
    """The body with its distance from the 2D joints; HvrError where it is another person's."""
    off = _off(body, keypoints, model)
    if not off < 0.5:
        raise HvrError(
            f"{path}: nobody in it is where the clip's person is (the nearest is {off:.0%} of a height "
            "away); make it from the same film"
        )
    return ImportedBody(body, source, off)
