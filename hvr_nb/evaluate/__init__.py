"""Every stage against truth and film; `inputs/`: which input is wrong.

- ``body_quality``: mpjpe_mm (pelvis aligned, in the axes of the camera) and pampjpe_mm of the 24
  SMPL joints.
- ``keep_truth``: Copies the truth beside a synthetic video into the clip.
- ``find_truth``: The truth of a clip made from a synthetic video, at the clip's frames.
- ``frame_quality``: Renders against the clip's frames ``which``: both over black, the clip's alpha
  as truth.
- ``keypoint_quality``: Error of the twelve limb joints where the person was found.
- ``lift_gain``: What the lifted skeleton does for the fit: the body of some frames fitted without
  it and with it.
- ``limb_quality``: <prefix>mpjpe_mm (mid-hip aligned) and <prefix>pampjpe_mm of the limb joints a
  skeleton of any layout has.
- ``mask_quality``: mask_iou and mask_iou_min of the silhouettes against the true alpha, frame by
  frame.
- ``novel_view_quality``: The avatar seen from the truth's hidden cameras, against their pictures.
- ``synthetic_video``: The folder of a synthetic video with its truth under ``root``, rendered at
  first use.
- ``measure_keypoints``: The figures of 01: share found and filled, error where truth is known.
- ``measure_masks``: The figures of 02: share of the picture, overlap where truth is known.
- ``measure_body``: The figures of 03: what the body explains, its error where truth is known.
- ``measure_lift``: What the lifted skeleton brings to the fit of a few frames.
- ``measure_avatar``: The figures of 06 on frames that were kept out of training.
- ``held_out_frames``: Which frames those are.
- ``compare_unseen``: The avatar in views that were never filmed, beside the truth, where it is known.
- ``doubt_unless``: A check that is kept as a doubt in words, or ends the stage if strict.
- ``mask_doubts``: What is doubtful about silhouettes.
- ``body_doubts``: What is unlikely about a fitted body and the way it was filmed.
- ``judge_film``: What a film promises, from a few of its frames in seconds.
- ``check_inputs``: Say which input of a clip is wrong and how.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "stages": [
            "body_quality",
            "find_truth",
            "frame_quality",
            "keep_truth",
            "keypoint_quality",
            "lift_gain",
            "limb_quality",
            "mask_quality",
            "novel_view_quality",
            "synthetic_video",
        ],
        "measures": [
            "compare_unseen",
            "held_out_frames",
            "measure_avatar",
            "measure_body",
            "measure_keypoints",
            "measure_lift",
            "measure_masks",
        ],
        "doubts": ["body_doubts", "doubt_unless", "mask_doubts"],
        "film": ["judge_film"],
        "inputs": ["check_inputs"],
    },
)
