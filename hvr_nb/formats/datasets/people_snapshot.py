"""People-Snapshot sequences to clip folders (docs/formats.md, 8).

A sequence folder holds one video, `camera.pkl`, `masks.hdf5`, `keypoints.hdf5`, `reconstructed_poses.hdf5`
and perhaps `consensus.obj` or `consensus.pkl`, the person in T-pose. Its world has OpenCV's camera axes
(y down, z forward); here y and z are turned. Its pixel centres are at integers. The hdf5 files need h5py,
which nothing else needs: `pip install h5py`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import BodyModel, load_body_model
from hvr_nb.body.worlds import on_model, rest_pelvis, shape_from_height, turned, turned_camera
from hvr_nb.formats.joints2d.layouts import body25_of
from hvr_nb.formats.joints2d.people import pick_person
from hvr_nb.geometry.camera import resized_images, undistort_images
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import results
from hvr_nb.store.safe_pickle import read_values
from hvr_nb.store.video import VIDEO_SUFFIXES, Video, read_video
from hvr_nb.types import MONOCULAR_R, Body, Camera, HvrError, Keypoints, Masks


@dataclass(frozen=True)
class Sequence:
    """The arrays of a sequence folder; ``picked`` are the frames taken of F."""

    camera: Camera  # OpenCV world of the data set
    picked: np.ndarray  # (T,) frames of the video
    masks: np.ndarray  # (T, H, W) bool
    keypoints: np.ndarray | None  # (T, 18, 3) COCO-18, pixels and confidence
    poses: np.ndarray  # (T, 72) radians
    trans: np.ndarray  # (T, 3) metres
    betas: np.ndarray  # (10,)


def read_people_snapshot(
    folder_of_subject: str | Path,
    clip_folder: str | Path,
    *,
    start: int = 0,
    stop: int = 0,
    stride: int = 1,
    max_side: int = 0,
    model: BodyModel | None = None,
) -> Clip:
    """Import a sequence as a clip with frames, camera, keypoints, masks and body, ready for 04_canonical.

    Lens distortion (`camera_k`) is removed from frames, masks and keypoints. The shape belongs to the
    licensed SMPL of the person's sex; for the open body it is replaced by one of the consensus' height.

    Args:
        folder_of_subject: e.g. `male-3-casual`. clip_folder: the clip to write.
        start, stop, stride: frame range of the video; stop 0 reads to the end.
        max_side: largest side of the frames, pixels; larger ones are reduced, 0 keeps all.
        model: None takes ``load_body_model()``.

    Raises:
        HvrError: h5py is not installed, or a file is missing, damaged or does not fit the others.
    """
    folder, model = Path(folder_of_subject), model or load_body_model()
    movie = read_video(_video_file(folder), start=start, stop=stop, stride=stride)
    sequence = _read_sequence(folder, start + stride * np.arange(len(movie.frames)))
    _same_size(folder, movie, sequence)
    body = _body(folder, sequence, model)
    source_camera = turned_camera(sequence.camera, MONOCULAR_R)
    images, camera = undistort_images(movie.frames, source_camera)
    alpha, _ = undistort_images(255 * sequence.masks.astype(np.uint8), source_camera)
    small = camera.at_most(max_side)
    images, alpha = resized_images(images, small), resized_images(alpha, small)
    source = {
        **movie.info,
        "path": str(_video_file(folder).resolve()),
        "format": "people-snapshot",
        "start": start,
        "stop": stop,
        "stride": stride,
    }
    clip = Clip.create(
        clip_folder, images, fps=movie.fps, names=movie.names, times=movie.times, source=source
    )
    clip.save("camera", small)
    if sequence.keypoints is not None:
        clip.save("keypoints", _keypoints(sequence, small))
    clip.save("masks", Masks(alpha, source="imported from masks.hdf5"))
    clip.save("body", replace(body, camera=small))
    return clip


def _video_file(folder: Path) -> Path:
    files = [f for f in results(folder, "*") if f.suffix.lower() in VIDEO_SUFFIXES]
    if len(files) != 1:
        raise HvrError(f"{folder} holds {len(files)} videos; give the folder of one sequence")
    return files[0]


def _read_sequence(folder: Path, picked: np.ndarray) -> Sequence:
    masks = _dataset(folder / "masks.hdf5", "masks", picked)
    keypoints = None
    if (folder / "keypoints.hdf5").exists():
        keypoints = _dataset(folder / "keypoints.hdf5", "keypoints", picked)
        if keypoints.shape[1:] != (54,):
            raise HvrError(
                f"{folder / 'keypoints.hdf5'} has rows of {keypoints.shape[1:]}; 54 values are expected"
            )
        keypoints = keypoints.reshape(-1, 18, 3).astype(np.float64)
    path = folder / "reconstructed_poses.hdf5"
    poses, trans = (_dataset(path, key, picked).astype(np.float64) for key in ("pose", "trans"))
    betas = _dataset(path, "betas", None).astype(np.float64).ravel()[:10]
    if masks.ndim != 3 or poses.shape[1:] != (72,) or trans.shape[1:] != (3,) or betas.shape != (10,):
        raise HvrError(
            f"{folder}: masks {masks.shape}, pose {poses.shape}, trans {trans.shape}, betas {betas.shape} "
            "are not (F, H, W), (F, 72), (F, 3) and (10,)"
        )
    if not all(np.isfinite(a).all() for a in (poses, trans, betas)):
        raise HvrError(f"{path} holds values that are not finite; get it again")
    camera = _read_camera(folder / "camera.pkl")
    return Sequence(camera, picked, masks != 0, keypoints, poses, trans, betas)


def _dataset(path: Path, key: str, picked: np.ndarray | None) -> np.ndarray:
    """The rows ``picked`` (N,) of a dataset in an hdf5 file; None takes all."""
    try:
        import h5py
    except ImportError:
        raise HvrError(
            f"{path} can only be read with h5py, which is not installed: pip install h5py"
        ) from None
    if not path.exists():
        raise HvrError(f"{path} is missing; complete the sequence folder")
    try:
        with h5py.File(path, "r") as file:
            rows = file[key]
            if picked is not None and len(rows) <= picked[-1]:
                raise HvrError(
                    f"{path} has {len(rows)} rows of {key}, but frame {picked[-1]} of the video is asked "
                    "for; choose a smaller stop"
                )
            return np.asarray(rows if picked is None else rows[picked])
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise HvrError(f"{path}: {key} cannot be read ({error}); get the file again") from error


def _read_camera(path: Path) -> Camera:
    content = read_values(path)
    try:
        focal, centre = (np.array(content[key], float).ravel() for key in ("camera_f", "camera_c"))
        dist, t, turn = (
            np.array(content[key], float).ravel() for key in ("camera_k", "camera_t", "camera_rt")
        )
        K = np.array([[focal[0], 0, centre[0] + 0.5], [0, focal[1], centre[1] + 0.5], [0, 0, 1]])
        width, height = int(content["width"]), int(content["height"])
        R = Rotation.from_rotvec(turn).as_matrix()
        return Camera(
            K=K, width=width, height=height, R=R, t=t.reshape(3), dist=dist.reshape(5), source="given"
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise HvrError(f"{path} is not a camera of People-Snapshot ({error!r}); get it again") from error


def _same_size(folder: Path, movie: Video, sequence: Sequence) -> None:
    sizes = {
        "the video": movie.frames.shape[2:0:-1],
        "masks.hdf5": sequence.masks.shape[2:0:-1],
        "camera.pkl": (sequence.camera.width, sequence.camera.height),
    }
    if len(set(sizes.values())) > 1:
        stated = ", ".join(f"{name} {w}x{h}" for name, (w, h) in sizes.items())
        raise HvrError(f"{folder}: the sizes differ: {stated}; use the unchanged files of one sequence")


def _body(folder: Path, sequence: Sequence, model: BodyModel) -> Body:
    """The body in the world of a clip (y and z turned), with a new shape where the model is another one."""
    pelvis = rest_pelvis(model, sequence.betas)
    body = Body(
        sequence.betas,
        sequence.poses[:, :3],
        sequence.poses[:, 3:],
        sequence.trans,
        sequence.camera,
        np.ones(len(sequence.poses), bool),
        model.hash,
    )
    if model.name == "open body":
        person = _consensus(folder)
        betas = np.zeros(10) if person is None else shape_from_height(model, float(np.ptp(person[:, 1])))
        pelvis = rest_pelvis(model, betas)
        if person is not None:  # the same position in the person, whatever the origin of the model is
            ours = (model.v_template + model.shapedirs @ model.shapedirs.new_tensor(betas)).double().numpy()
            pelvis = pelvis + (person.min(0) + person.max(0) - ours.min(0) - ours.max(0)) / 2
        warnings.warn(
            f"{folder.name}: its shape belongs to SMPL; the open body takes "
            + ("the mean shape" if person is None else "the height of the consensus")
            + ". Put SMPL_NEUTRAL.pkl into data/models to use it",
            stacklevel=3,
        )
        body = on_model(body, model, betas, pelvis)
    return turned(body, MONOCULAR_R, rest_pelvis(model, body.betas))


def _consensus(folder: Path) -> np.ndarray | None:
    """(V, 3) vertices of the clothed person in T-pose, metres; None where the folder has none."""
    obj, pkl = folder / "consensus.obj", folder / "consensus.pkl"
    path = obj if obj.exists() else pkl
    if not path.exists():
        return None
    try:
        if path == pkl:
            values = read_values(path)["v_personal"]
        else:
            lines = path.read_text(errors="replace").splitlines()
            values = [line.split()[1:4] for line in lines if line.startswith("v ")]
        vertices = np.asarray(values, np.float64).reshape(-1, 3)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise HvrError(f"{path} holds no vertices ({error!r}); get it again") from error
    if len(vertices) < 4 or not np.isfinite(vertices).all():
        raise HvrError(f"{path} holds {len(vertices)} usable vertices; get it again")
    return vertices


def _keypoints(sequence: Sequence, small: Camera) -> Keypoints:
    """BODY_25 in the pixels of the clip: undistorted, moved by half a pixel, scaled."""
    points = sequence.keypoints.copy()
    points[..., 2] = np.nan_to_num(points[..., 2]).clip(0, 1)
    camera = sequence.camera
    points[..., :2] += 0.5
    flat = np.nan_to_num(points[..., :2]).reshape(-1, 1, 2)
    straight = cv2.undistortPoints(flat, camera.K, camera.dist, P=camera.K).reshape(points.shape[0], 18, 2)
    ratio = np.array([small.width / camera.width, small.height / camera.height])
    points[..., :2] = np.where(points[..., 2:] > 0, straight * ratio, 0.0)
    people = [[body25_of(row, "openpose18")] if row[:, 2].any() else [] for row in points]
    return pick_person(
        people,
        size=(small.width, small.height),
        person=0,
        source="people-snapshot",
        ids=[[0] * len(here) for here in people],
    )
