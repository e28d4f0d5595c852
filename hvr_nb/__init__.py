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
    "avatar_texture": "export.avatar",
    "bake_texture": "surface.texture.bake",
    "Body": "types",
    "body_overlay": "drawing.shading",
    "body_quality": "evaluate.stages",
    "Camera": "types",
    "Canonical": "types",
    "check_inputs": "evaluate.inputs",
    "choose_camera": "geometry.camera",
    "Clip": "store.clip",
    "clip_report": "report",
    "coverage_map": "render.coverage",
    "coverage_quality": "render.coverage",
    "detect_keypoints": "keypoints.follow",
    "detect_people": "keypoints.follow",
    "distance_slices": "render.slices",
    "export_avatar": "export.avatar",
    "export_frames": "export.frames",
    "find_truth": "evaluate.stages",
    "first_complete": "keypoints.identity",
    "fit_body": "fit.solve",
    "fit_report": "fit.solve",
    "follow_person": "keypoints.follow",
    "frame_quality": "evaluate.stages",
    "HvrError": "types",
    "import_masks": "masks.labels",
    "Joints3D": "types",
    "keypoint_quality": "evaluate.stages",
    "Keypoints": "types",
    "landmark_skeleton": "fit.start",
    "level_body": "fit.level",
    "lift_keypoints": "lift",
    "lift_gain": "evaluate.stages",
    "lift_people": "lift.people",
    "lift_skeleton": "lift.people",
    "limb_quality": "evaluate.stages",
    "load_body_model": "body.model",
    "load_pictures": "render.pictures",
    "lpips_missing": "learning.lpips",
    "make_canonical": "canonical.big_pose",
    "mask_quality": "evaluate.stages",
    "Masks": "types",
    "Mesh": "types",
    "method": "methods",
    "novel_poses": "render.posing",
    "novel_view_quality": "evaluate.stages",
    "over": "drawing.pictures",
    "parse_person": "masks.parsing",
    "parse_with_schp": "masks.schp",
    "person_at": "keypoints.identity",
    "place_in_world": "lift.placing",
    "place_people": "lift.placing",
    "portrait": "render.cameras",
    "posed": "body.model",
    "read_bvh": "formats.motion.bvh",
    "read_keypoints": "formats.joints2d.keypoints",
    "read_people_snapshot": "formats.datasets.people_snapshot",
    "read_selfrecon": "formats.datasets.selfrecon_folder",
    "read_skinned_glb": "formats.models.skinned_glb",
    "read_video": "store.video",
    "read_zju": "formats.datasets.zju_mocap",
    "render_pictures": "render.pictures",
    "round_trip_error": "canonical.big_pose",
    "save_mesh": "geometry.mesh",
    "segment_person": "masks.silhouettes",
    "show": "viewing",
    "SkeletonTrack": "formats.skeletons.track",
    "slider": "viewing",
    "surface_coverage": "render.coverage",
    "synthetic_video": "evaluate.stages",
    "to_uint8": "drawing.pictures",
    "Tracks": "types",
    "turntable": "render.cameras",
    "undistort_images": "geometry.camera",
    "whole_frame": "render.cameras",
    "write_bvh": "formats.motion.bvh",
    "write_image": "store.files",
    "write_people": "export.people",
    "write_player": "report",
    "write_pose_video": "export.pose_video",
    "write_selfrecon": "formats.datasets.selfrecon_export",
    "write_skeleton_bvh": "formats.skeletons.bvh",
    "write_skeleton_csv": "formats.skeletons.tables",
    "write_skeleton_glb": "formats.skeletons.glb",
    "write_skeleton_npz": "formats.skeletons.track",
    "write_skeleton_trc": "formats.skeletons.tables",
    "write_skinned_glb": "formats.models.skinned_glb",
    "write_video": "store.video",
    "write_zju": "formats.datasets.zju_export",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'hvr_nb' has no attribute {name!r}")
    return getattr(importlib.import_module(f"hvr_nb.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return __all__
