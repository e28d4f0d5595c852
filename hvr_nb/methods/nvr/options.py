"""What can be set when an avatar is trained by ``nvr``."""

from __future__ import annotations

from dataclasses import dataclass

from hvr_nb.methods.nvr.network import FieldOptions


@dataclass(frozen=True)
class Options:
    """Options of ``reconstruct``: the first block for everybody, the second for experiments."""

    iters: int = 2500  # training steps
    rays: int = 1024  # a step, over all its frames
    image_scale: float = 1.0  # train on frames resized by this, above 0 and at most 1
    hold_out: int = 0  # every n-th frame is kept out of training, to measure on; 0: none
    checkpoint_every: int = 500  # steps; 0 keeps no checkpoint
    refine_pose: bool = True  # correct the body's poses, where it leaves the silhouettes
    refine_camera: bool = False  # correct focal length and image centre (``lens.py``)
    cloth: bool | None = None  # whether loose clothes carry the field (dress.py); None: where there are any
    model_file: str = ""  # the body model of 03_body; "" takes the one that load_body_model finds

    field: FieldOptions = FieldOptions()  # sizes of the hash grids and networks
    frames: int = 8  # a step
    samples: int = 16  # on each ray, before empty ones are left out
    table_lr: float = 1e-2  # learning rate of hash tables and frame codes
    net_lr: float = 2e-3  # of the networks
    pose_lr: float = 1.5e-3  # of the poses
    lens_lr: float = 5e-4  # of focal length and image centre
    fine_by: float = 0.35  # share of training after which the finest level is open
    beta: tuple[float, float] = (0.01, 0.003)  # metres, softness of the surface at start and end
    # weights of the losses, beside that of colour, which is one
    opacity: float = 0.1  # of rays against the silhouette
    residual: float = 1.0  # length of the residual motion
    code: float = 1e-3  # size of the frame codes
    smooth: float = 1.0  # second differences of the frame codes in time
    pose_prior: float = 1.0  # size of the pose corrections
    pose_smooth: float = 10.0  # their second differences in time
    lens_prior: float = 0.1  # size of the lens correction
    distortion: float = 0.5  # spread of the weights along a ray (Mip-NeRF 360)
    structure: float = 0.0  # SSIM of patches; 0.02 costs 0.4 dB at equal steps (docs/benchmarks.md)
    perceptual: float = 0.0  # LPIPS of patches of 16 pixels or more a side; needs VGG16's weights
    patches: int = 4  # frames of a step whose rays hold such a patch
    patch_side: int = 8  # pixels
    # steps
    pose_from: int = 150  # first step that moves poses and lens
    fold_every: int = 250  # steps after which corrections become part of the poses
    occupancy_from: int = 250  # first look for empty cells
    occupancy_every: int = 250  # steps from one look to the next
