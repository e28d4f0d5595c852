"""06: cameras, picture folders, novel poses, coverage, slices.

- ``portrait``: A camera at the place of ``camera`` turned to a person, its square picture cut to
  fit.
- ``turntable``: Cameras on a circle about the person's own vertical axis, starting at ``camera``.
- ``whole_frame``: Index of the first frame whose person is wholly in the picture.
- ``load_pictures``: Read a rendered folder.
- ``render_pictures``: Render pose k of ``body`` from ``cameras[k]``; write pictures and
  ``<folder>.mp4``.
- ``novel_poses``: At most ``frames`` poses for the person of ``body``, standing where it stood.
- ``coverage_map``: Front, sides and back of the surface: how often it was filmed and how far off it
  is.
- ``coverage_quality``: seen_pct of the surface's vertices, the median number of frames, and the
  mean residual in per cent.
- ``surface_coverage``: Look at every vertex of the avatar's surface in every frame.
- ``distance_slices``: One surface in the big pose and in another, whole and cut through the middle.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cameras": ["portrait", "turntable", "whole_frame"],
        "pictures": ["load_pictures", "render_pictures"],
        "posing": ["novel_poses"],
        "coverage": ["coverage_map", "coverage_quality", "surface_coverage"],
        "slices": ["distance_slices"],
    },
)
