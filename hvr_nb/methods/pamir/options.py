"""What can be set when ``pamir`` makes a mesh of every frame."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Options of ``reconstruct``."""

    image_scale: float = 1.0  # work on frames resized by this, above 0 and at most 1
    hold_out: int = 0  # every n-th frame is made from its neighbours alone, to measure on; 0: none
    model_file: str = ""  # the body model of 03_body; "" takes the one that load_body_model finds
    weights: str = ""  # checkpoint of the networks; "" takes those shipped with the package

    resolution: int = 256  # cells along the side of the crop; with 128, a preview, fingers come and go
    band: float = 0.15  # metres around the body in which the occupancy is asked for
    together: float = 2.0  # frames, standard deviation over which occupancies are averaged; 0: each alone
    canonical_cell: float = 0.016  # metres, cells of the big pose in which frames are brought together
