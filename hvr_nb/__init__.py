"""One ordinary video of a person becomes SMPL motion, an animatable avatar and pictures.

The names below are those that the notebooks use, the types and the error; everything else comes from its
wing (``from hvr_nb.export import export_avatar``; docs/house.md is the map). They are loaded on first use,
so that ``import hvr_nb`` stays fast and does not import torch.
"""

from __future__ import annotations

import os

import lazy_loader

# Threads that wait for work soon sleep instead of spinning (docs/decisions.md, "Waiting threads sleep").
# Read when torch's OpenMP starts, so this stands before any import of torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# numba's loops run in the same OpenMP and set its thread count: torch's sums would change after the first.
if os.environ.get("OMP_NUM_THREADS", "").isdigit():
    os.environ.setdefault("NUMBA_NUM_THREADS", os.environ["OMP_NUM_THREADS"])

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        # in every notebook
        "store": ["Clip", "write_image"],
        "viewing": [
            "TrainingView", "person_scene", "choose_person", "playground", "show",
            "show_example", "show_page", "slider", "start_panel",
        ],
        "batch": ["check_values"],
        "types": [
            "Body", "Camera", "Canonical", "HvrError", "Joints3D", "Keypoints", "Masks", "Mesh", "Tracks",
        ],
        # 00_video
        "store.video": ["read_video"],
        "geometry": ["choose_camera", "undistort_images"],
        # 01_keypoints
        "keypoints": ["boxes_of_people", "follow_people", "follow_person"],
        "formats.joints2d": ["read_keypoints"],
        "formats.bodies": ["body_skeleton", "read_body"],
        # 02_masks
        "masks": ["import_masks", "parse_person", "parse_with_schp", "segment_person"],
        # 03_body
        "body": ["load_body_model", "posed"],
        "lift": ["lift_skeleton"],
        "fit": ["fit_body", "landmark_skeleton", "level_body"],
        # 04_canonical
        "canonical": ["make_canonical", "round_trip_error"],
        # 05_train
        "methods": ["method", "method_options"],
        # 06_render
        "render": [
            "coverage_map", "coverage_quality", "distance_slices", "load_pictures", "render_frames",
            "render_motion", "render_turntable", "shown_frame", "surface_coverage",
        ],
        "formats.models": ["save_mesh"],
        "drawing": ["body_from_sides", "body_overlay", "draw_curves", "film_background", "to_uint8"],
        "learning": ["lpips_missing"],
        # 07_visualize
        "export": ["dress_another"],
        "report": ["clip_gallery", "clip_report", "frame_curves", "write_player"],
        # what every notebook checks
        "evaluate": [
            "body_doubts", "check_inputs", "compare_unseen", "doubt_unless", "held_out_frames",
            "judge_film", "keep_truth", "mask_doubts", "measure_avatar", "measure_body", "measure_keypoints",
            "measure_lift", "measure_masks", "synthetic_video",
        ],
    },
)  # fmt: skip
