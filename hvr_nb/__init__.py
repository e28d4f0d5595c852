"""One ordinary video of a person becomes SMPL motion, an animatable avatar and pictures.

The public names below are loaded on first use, so that ``import hvr_nb`` stays fast and does
not import torch.
"""

from __future__ import annotations

import importlib
import os

# Threads that wait for work sleep instead of spinning; read when torch's OpenMP starts, so before torch
# is imported. On a shared 2-core machine spinning made a training step 18 times slower (0.75 to 13.9 a second).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"

# public name -> module that defines it
_PUBLIC = {
    "Body": "types",
    "Camera": "types",
    "Canonical": "canonical",
    "Clip": "clip",
    "HvrError": "types",
    "Joints3D": "types",
    "Keypoints": "types",
    "Masks": "types",
    "Mesh": "types",
    "avatar_texture": "export",
    "bake_texture": "texture_bake",
    "body_overlay": "shading",
    "body_quality": "evaluate",
    "choose_camera": "geometry",
    "clip_report": "report",
    "coverage_map": "coverage",
    "coverage_quality": "coverage",
    "detect_keypoints": "keypoints",
    "export_avatar": "export",
    "find_truth": "evaluate",
    "fit_body": "fit",
    "fit_report": "fit",
    "frame_quality": "evaluate",
    "import_masks": "labels",
    "keypoint_quality": "evaluate",
    "landmark_skeleton": "fit_init",
    "load_body_model": "body_model",
    "load_pictures": "render",
    "make_canonical": "canonical",
    "mask_quality": "evaluate",
    "method": "methods",
    "novel_poses": "motion",
    "novel_view_quality": "evaluate",
    "over": "render",
    "parse_person": "parsing",
    "parse_with_schp": "schp",
    "portrait": "render",
    "posed": "body_model",
    "read_bvh": "formats.bvh",
    "read_keypoints": "formats.keypoints",
    "read_people_snapshot": "formats.people_snapshot",
    "read_skinned_glb": "formats.skinned_glb",
    "read_video": "video",
    "read_zju": "formats.zju_mocap",
    "render_pictures": "render",
    "round_trip_error": "canonical",
    "save_mesh": "mesh",
    "segment_person": "masks",
    "show": "viewing",
    "slider": "viewing",
    "surface_coverage": "coverage",
    "synthetic_video": "evaluate",
    "to_uint8": "render",
    "turntable": "render",
    "undistort_images": "geometry",
    "whole_frame": "render",
    "write_bvh": "formats.bvh",
    "write_image": "files",
    "write_player": "report",
    "write_skinned_glb": "formats.skinned_glb",
    "write_video": "video",
    "write_zju": "formats.zju_export",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'hvr_nb' has no attribute {name!r}")
    return getattr(importlib.import_module(f"hvr_nb.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return __all__
