"""One ordinary video of a person becomes SMPL motion, an animatable avatar and pictures.

The public names below are loaded on first use, so that ``import hvr_nb`` stays fast and does
not import torch.
"""

from __future__ import annotations

import importlib
import os

# Threads that wait for work soon sleep instead of spinning (docs/decisions.md 18). Read when torch's
# OpenMP starts, so this stands before any import of torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

__version__ = "0.1.0"

# public name -> module that defines it
_PUBLIC = {
    "avatar_texture": "export",
    "bake_texture": "texture_bake",
    "Body": "types",
    "body_overlay": "shading",
    "body_quality": "evaluate",
    "Camera": "types",
    "Canonical": "canonical",
    "check_inputs": "inputs",
    "choose_camera": "geometry",
    "Clip": "clip",
    "clip_report": "report",
    "coverage_map": "coverage",
    "coverage_quality": "coverage",
    "detect_keypoints": "keypoints",
    "detect_people": "keypoints",
    "distance_slices": "slices",
    "export_avatar": "export",
    "export_frames": "export_frames",
    "find_truth": "evaluate",
    "first_complete": "identity",
    "fit_body": "fit",
    "fit_report": "fit",
    "follow_person": "keypoints",
    "frame_quality": "evaluate",
    "HvrError": "types",
    "import_masks": "labels",
    "Joints3D": "types",
    "keypoint_quality": "evaluate",
    "Keypoints": "types",
    "landmark_skeleton": "fit_init",
    "level_body": "level",
    "lift_keypoints": "lift",
    "lift_gain": "evaluate",
    "lift_people": "people3d",
    "lift_skeleton": "people3d",
    "limb_quality": "evaluate",
    "load_body_model": "body_model",
    "load_pictures": "render",
    "lpips_missing": "perceptual",
    "make_canonical": "canonical",
    "mask_quality": "evaluate",
    "Masks": "types",
    "Mesh": "types",
    "method": "methods",
    "novel_poses": "motion",
    "novel_view_quality": "evaluate",
    "over": "render",
    "parse_person": "parsing",
    "parse_with_schp": "schp",
    "person_at": "identity",
    "place_in_world": "place",
    "place_people": "place",
    "portrait": "render",
    "posed": "body_model",
    "read_bvh": "formats.bvh",
    "read_keypoints": "formats.keypoints",
    "read_people_snapshot": "formats.people_snapshot",
    "read_selfrecon": "formats.selfrecon_folder",
    "read_skinned_glb": "formats.skinned_glb",
    "read_video": "video",
    "read_zju": "formats.zju_mocap",
    "render_pictures": "render",
    "round_trip_error": "canonical",
    "save_mesh": "mesh",
    "segment_person": "masks",
    "show": "viewing",
    "SkeletonTrack": "formats.skeleton",
    "slider": "viewing",
    "surface_coverage": "coverage",
    "synthetic_video": "evaluate",
    "to_uint8": "render",
    "Tracks": "types",
    "turntable": "render",
    "undistort_images": "geometry",
    "whole_frame": "render",
    "write_bvh": "formats.bvh",
    "write_image": "files",
    "write_people": "pose_files",
    "write_player": "report",
    "write_pose_video": "pose_video",
    "write_selfrecon": "formats.selfrecon_export",
    "write_skeleton_bvh": "formats.skeleton_bvh",
    "write_skeleton_csv": "formats.skeleton_tables",
    "write_skeleton_glb": "formats.skeleton_glb",
    "write_skeleton_npz": "formats.skeleton",
    "write_skeleton_trc": "formats.skeleton_tables",
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
