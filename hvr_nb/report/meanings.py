"""What the measured quantities mean, in a few words."""

from __future__ import annotations

MEANINGS = {
    "keypoint_px": "distance of found limb joints from the true ones",
    "keypoint_pct": "that distance in per cent of the person's height in the picture",
    "found_pct": "frames in which the person was found",
    "people": "number of people who were followed",
    "filled_pct": "joints interpolated, not measured",
    "cover_pct": "share of the picture that the silhouettes cover",
    "mask_iou": "silhouettes against the true ones, intersection over union, mean",
    "mask_iou_min": "silhouettes against the true ones, worst frame",
    "label_accuracy": "share of person pixels with the true label",
    "cross_view_iou": "pose of one frame against the silhouettes of other sides of a turn, mean IoU",
    "cross_view_avatar_iou": "the same for the avatar's surface",
    "skin_iou": "body against the silhouettes where skin is seen, mean IoU",
    "knee_deg": "how far the knees are bent, median over the frames",
    "iou_mean": "body's outline against the silhouettes, intersection over union, mean",
    "iou_min": "body's outline against the silhouettes, worst frame",
    "iou": "body's outline against the silhouette",
    "reprojection_px": "body's joints in the picture against the 2D joints",
    "reprojection_mean_px": "body's joints in the picture against the 2D joints, mean",
    "reprojection_percent": "body's joints against the 2D joints, median, in per cent of the person's height",
    "reprojection_pct": "body's joints against the 2D joints, in per cent of the person's height",
    "mpjpe_mm": "3D joints against truth, pelvis aligned",
    "pampjpe_mm": "3D joints against truth after the best similarity",
    "jitter": "acceleration of the joints; lower is smoother",
    "coverage": "share of frames with an observed pose",
    "psnr": "whole image; flattered by the background",
    "psnr_box": "inside the body's box",
    "psnr_body": "on body pixels only",
    "body_psnr": "on body pixels only",
    "ssim": "structural similarity, whole image",
    "ssim_box": "structural similarity inside the body's box",
    "ssim_body": "structural similarity on body pixels",
    "lpips": "perceptual distance (VGG16); lower is better",
    "published_lpips": "the same with the range Instant-NVR's evaluation uses",
    "render_iou": "render's outline against the silhouette",
    "mean_mm": "mean error of warping a posed body back to the big pose",
    "max_mm": "largest such error",
    "seconds": "time it took",
    "iters": "training steps or rounds",
    "fps": "frames per second of the clip",
    "frames": "number of frames",
    "held_out_frames": "frames kept out of training to measure on",
    "seen_pct": "share of the surface that was filmed",
    "seen_frames": "frames that show a place of the surface, median",
    "residual_pct": "colour difference between film and surface, mean",
}
PREFIXES = {
    "heldout_": "frames kept out of training: ",
    "novel_": "unseen cameras: ",
    "train_": "training frames: ",
    "true_": "with the true body: ",
    "lift_": "lifted skeleton, limb joints, hips aligned: ",
    "detector_": "the detector's own skeleton, limb joints, hips aligned: ",
    "plain_": "fit of the middle frames by the detector's 3D alone, no silhouettes: ",
    "lifted_": "the same with the lifted skeleton: ",
}


def meaning_of(name: str) -> str:
    """A few words on a quantity, "" where none are known."""
    for prefix, words in PREFIXES.items():
        rest = name.removeprefix(prefix)
        if rest != name and rest in MEANINGS:
            return words + MEANINGS[rest]
    return MEANINGS.get(name, "")
