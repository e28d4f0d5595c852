"""What can be set when garments are reconstructed by ``recmv``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Options of ``reconstruct``."""

    garments: str = ""  # which there are, e.g. "shirt,trousers"; "": told from the labels of 02_masks
    garments_from: str = ""  # a clip of the same person whose garments are kept; "": made from this clip
    image_scale: float = 1.0  # work on frames resized by this, above 0 and at most 1
    hold_out: int = 0  # every n-th frame is kept out, to measure on; 0: none
    refine_pose: bool = True  # correct the body's poses, where it leaves the silhouettes
    model_file: str = ""  # the body model of 03_body; "" takes the one that load_body_model finds
    cell: float = 0.008  # metres, side of the surface's triangles before they are halved
    motion: bool = True  # whether frames keep a displacement of their own
