"""The synthetic person with exact ground truth: body, clothes, texture, motion, pictures.

``make_subject`` dresses the open body, ``rotating_motion``, ``walking_motion`` and ``clip_motion``
move it, ``render_subject`` films it, ``write_synthetic`` puts a whole clip and its truth on disk
(specs/body.md 3).
"""

from hvr_nb.subject.motion import clip_motion, rotating_motion, subject_camera, walking_motion
from hvr_nb.subject.person import OUTFITS, Subject, clothed_mesh, make_subject, pose_subject, subject_betas
from hvr_nb.subject.render import Take, render_subject
from hvr_nb.subject.take import HiddenView, Truth, hidden_cameras, load_truth, write_synthetic

__all__ = [
    "OUTFITS", "HiddenView", "Subject", "Take", "Truth", "clip_motion", "clothed_mesh", "hidden_cameras",
    "load_truth", "make_subject", "pose_subject", "render_subject", "rotating_motion", "subject_betas",
    "subject_camera", "walking_motion", "write_synthetic",
]  # fmt: skip
