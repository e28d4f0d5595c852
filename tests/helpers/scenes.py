"""Small scenes for the tests: synthetic people laid over a plain wall, where the truth is known."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hvr_nb.body.joint_sets import h36m_from_smpl
from hvr_nb.body.model import LANDMARK_VERTICES, load_body_model, posed
from hvr_nb.geometry.camera import default_camera, project, to_camera
from hvr_nb.store.video import read_video
from hvr_nb.subject.motion import walking_motion
from hvr_nb.subject.take import load_truth, write_synthetic

CORE = [2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14]  # shoulders to wrists, hips to ankles


@dataclass(frozen=True)
class Cutout:
    """A synthetic person and the truth about it."""

    frames: np.ndarray  # (T, H, W, 3) uint8
    alpha: np.ndarray  # (T, H, W) uint8
    points: np.ndarray  # (T, 25, 2) pixels
    height: float  # pixels


def make_cutout(
    folder: Path, *, outfit: str, motion: str, frames: int = 20, size: int = 192, seed: int = 0
) -> Cutout:
    """Render a synthetic person."""
    write_synthetic(folder, outfit=outfit, motion=motion, frames=frames, size=size, seed=seed, hidden_views=0)
    truth = load_truth(folder)
    rows = (truth.alpha > 127).any(2)
    height = float(np.median(rows.sum(1)))
    return Cutout(read_video(folder / "video.mp4").frames, truth.alpha, truth.points25, height)


def wall(frames: int, width: int, height: int) -> np.ndarray:
    """(T, H, W, 3) a light wall over a dark floor, with a little noise."""
    rng = np.random.default_rng(0)
    scene = np.full((height, width, 3), (196, 190, 182), np.float32)
    scene[int(0.7 * height) :] = (70, 66, 64)
    return np.clip(scene + rng.normal(0, 2, (frames, height, width, 3)), 0, 255).astype(np.uint8)


def paste(scene: np.ndarray, who: Cutout, t: int, x: float, y: float, *, scale: float = 1.0) -> np.ndarray:
    """Lay the person's frame ``t`` over ``scene`` (H, W, 3) in place; returns its true joints (25, 2)."""
    moved = np.array([[scale, 0, x + (scale - 1) / 2], [0, scale, y + (scale - 1) / 2]])
    size = scene.shape[1::-1]
    alpha = cv2.warpAffine(who.alpha[t], moved, size, flags=cv2.INTER_LINEAR)[..., None] / 255
    scene[:] = cv2.warpAffine(who.frames[t], moved, size, flags=cv2.INTER_LINEAR) * alpha + scene * (
        1 - alpha
    )
    return who.points[t] * scale + (x, y)


def error(points: np.ndarray, truth: np.ndarray, height: float) -> np.ndarray:
    """(T,) mean distance of the twelve core joints from the truth, per cent of the height."""
    return np.linalg.norm(points[:, CORE, :2] - truth[:, CORE], axis=-1).mean(1) / height * 100


def cloaked(who: Cutout, *, seed: int) -> Cutout:
    """The person in a cloak to the floor, drawn over everything below the chin: no limb is seen."""
    colour = np.random.default_rng([seed, 77]).uniform(30, 220, 3)
    frames, covers = who.frames.copy(), who.alpha.copy()
    for picture, cover, joints in zip(frames, covers, who.points, strict=True):
        neck, foot, size = joints[1], np.nonzero(cover > 127)[0].max() + 1, who.height
        y, x = np.nonzero(cover[round(neck[1]) :] > 127)
        half = max(np.abs(x - neck[0]).max() + 1, 0.17 * size)
        shape = neck + size * np.array([[-0.04, -0.02], [0.04, -0.02], [0.13, 0.05], [-0.13, 0.05]])
        hem = np.array([[neck[0] + half, foot], [neck[0] - half, foot]])
        cloth = np.zeros_like(cover)
        cv2.fillPoly(cloth, [np.rint(16 * np.insert(shape, 3, hem, 0)).astype(int)], 255, cv2.LINE_AA, 4)
        x = (np.arange(cover.shape[1]) - neck[0]) / half
        folds = colour * (0.9 - 0.15 * x + 0.07 * np.sin(9 * x))[:, None]
        part = cloth[..., None] / 255
        picture[:] = np.clip(folds, 0, 255) * part + picture * (1 - part)
        cover[:] = np.maximum(cover, cloth)
    return Cutout(frames, covers, who.points, who.height)


FPS, FRAMES = 30.0, 60  # of film()
SMPL_COCO = (15, 15, 15, 15, 15, 16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8)
FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


def film(width=640, height=480):
    """A walking, turning person: COCO (T, 17, 3), true joints (T, 17, 3) from the hips, and the camera."""
    camera, model = default_camera(width, height), load_body_model()
    body = walking_motion(FRAMES, fps=FPS, seed=3, camera=camera)
    vertices, joints = posed(model, body)
    coco = joints[:, SMPL_COCO].copy()
    coco[:, :5] = vertices[:, [LANDMARK_VERTICES[name] for name in FACE]]
    top = vertices[:, int(model.v_template[:, 1].argmax())]
    true = to_camera(h36m_from_smpl(joints, coco[:, 0], top), camera)
    pixels = project(coco, camera)
    return np.dstack([pixels, np.ones(pixels.shape[:2])]), true - true[:, :1], camera
