"""Sizes of PaMIR's networks: the original's, and small ones that two cores can train (docs/pamir.md, 2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PamirSizes:
    """Sizes of the geometry network; the defaults are the original's."""

    picture: int = 512  # side of the picture, pixels
    volume: int = 128  # side of the semantic volume, voxels
    stacks: int = 4  # hourglasses after each other
    modules: int = 3  # residual blocks at each level of an hourglass
    depth: int = 4  # levels of an hourglass
    width: int = 128  # channels inside an hourglass
    maps: int = 256  # channels of its output, the image feature of a point
    first: int = 64  # channels of the first convolution of the picture
    pooled: bool = True  # the picture is halved a second time before the hourglasses
    volume_first: int = 8  # channels of the first convolution of the volume
    volumes: int = 32  # channels of the volume feature of a point
    hidden: tuple[int, ...] = (1024, 512, 256, 128)  # layers of the point network
    stages: int = 3  # pairs of map and volume that are supervised
    body: bool = False  # the point's place on the body is fed, and its distance is the starting logit


ORIGINAL = PamirSizes()
SMALL = PamirSizes(
    picture=128,
    volume=32,
    stacks=2,
    modules=1,
    depth=3,
    width=32,
    maps=32,
    first=16,
    pooled=False,
    volume_first=8,
    volumes=16,
    hidden=(128, 64, 64, 32),
    stages=2,
    body=True,
)
