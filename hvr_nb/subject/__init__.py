"""The synthetic person whose truth is known: body, clothes, texture, motion, pictures.

- ``clip_motion``: Any SMPL motion (motion capture, another person's clip) carried to the subject's
  shape and camera.
- ``rotating_motion``: A full turn in A-pose over the clip, swaying by 4 degrees.
- ``subject_camera``: The true camera of a synthetic clip.
- ``walking_motion``: Walking on the spot (T poses), turning by ``turn`` radians over the clip.
- ``OUTFITS``
- ``Subject``: A clothed person in the rest pose: V vertices and F faces in one mesh, layer by
  layer.
- ``clothed_mesh``: The textured clothed mesh of one frame, world metres.
- ``make_subject``: Dress a body.
- ``pose_subject``: Clothed vertices (T, V, 3) float32 of every frame of ``body``, world metres.
- ``subject_betas``: (10,) shape drawn from a seed, moderate in every direction.
- ``Take``: A synthetic clip with its ground truth.
- ``render_subject``: Film ``subject`` moving as ``body``.
- ``HiddenView``: Pictures from a camera that the pipeline never sees.
- ``Truth``: What is true about a synthetic clip of T frames.
- ``hidden_cameras``: ``count`` cameras around the person, between the angles of the true one,
  raised by 5 to 20 degrees.
- ``load_truth``: Read what ``write_synthetic`` wrote beside the video.
- ``write_synthetic``: Film a synthetic person: ``<folder>/video.mp4`` and ``<folder>/truth.npz``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "motion": ["clip_motion", "rotating_motion", "subject_camera", "walking_motion"],
        "person": ["OUTFITS", "Subject", "clothed_mesh", "make_subject", "pose_subject", "subject_betas"],
        "render": ["Take", "render_subject"],
        "take": ["HiddenView", "Truth", "hidden_cameras", "load_truth", "write_synthetic"],
    },
)
