"""06: cameras, picture folders, novel poses, coverage, slices.

- ``portrait``: A camera in the same place turned to a person, with a square picture that fits them.
- ``turntable``: Cameras on a circle about the person's own vertical axis.
- ``whole_frame``: Index of the first frame whose person is wholly in the picture.
- ``load_pictures``: Read a rendered folder.
- ``render_pictures``: Render poses from cameras; write pictures and a video.
- ``render_frames``: The training views: every frame of the clip, rendered where it was filmed.
- ``render_turntable``: Pictures all around the person's own axis.
- ``render_motion``: Poses that were not filmed.
- ``shown_frame``: The first frame that shows the whole person, and the body in it.
- ``novel_poses``: Poses of a motion file, or a wave, for the clip's person.
- ``coverage_map``: Picture of where the surface was filmed, how often, and how well it agrees.
- ``coverage_quality``: Figures of the same.
- ``surface_coverage``: In how many frames each vertex of an avatar's surface was seen.
- ``distance_slices``: One surface in two poses, whole and cut, with signed distances.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cameras": ["portrait", "turntable", "whole_frame"],
        "pictures": ["load_pictures", "render_pictures"],
        "shots": ["render_frames", "render_motion", "render_turntable", "shown_frame"],
        "posing": ["novel_poses"],
        "coverage": ["coverage_map", "coverage_quality", "surface_coverage"],
        "slices": ["distance_slices"],
    },
)
