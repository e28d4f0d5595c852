"""What can be set when a clothed surface is shaped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ShapeOptions:
    """Options of the shape. It always takes ``fit.ROUNDS`` rounds and uses all pixels."""

    image_scale: float = 1.0  # work on frames resized by this, above 0 and at most 1
    hold_out: int = 0  # every n-th frame is kept out, to measure on; 0: none
    refine_pose: bool = True  # correct the body's poses, where it leaves the silhouettes
    model_file: str = ""  # the body model of 03_body; "" takes the one that load_body_model finds

    cell: float = 0.008  # metres, side of the fine template's triangles before they are halved
    sigma: float = 0.012  # metres, usual residual of an outline
    smooth: float = 1.0  # factor on the weight of curvature
    motion: bool = True  # whether frames keep a displacement of their own
    normals: float = 1.0  # weight of the clip's normal maps, where it has some; 0 leaves them out
    layers: bool = True  # whether cloth that lies over cloth gets steps, where parallax shows them
    shading: float = 1.0  # weight of normals from shading, where there are no maps; 0 leaves them out
