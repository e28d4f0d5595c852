"""The synthetic person whose truth is known: body, clothes, texture, motion, pictures.

- ``clip_motion``: any SMPL motion with the subject's shape, framed by the subject's camera.
- ``rotating_motion``: a full turn in A-pose.
- ``walking_motion``: walking on the spot while turning.
- ``subject_camera``: the true camera of a synthetic clip.
- ``OUTFITS``: the outfits that can be worn.
- ``Subject``: a clothed person in the rest pose, layer by layer in one mesh.
- ``make_subject``: dresses a body in clothes, texture and hair drawn from a seed.
- ``pose_subject``: clothed vertices of every frame of a motion.
- ``clothed_mesh``: the textured clothed mesh of one frame.
- ``true_garments``: its clothes as open meshes with their feature curves.
- ``subject_betas``: a moderate shape drawn from a seed.
- ``Take``: a synthetic clip with its ground truth.
- ``render_subject``: renders a subject in motion, with the truth for every pixel.
- ``HiddenView``: pictures from a camera that the pipeline never sees.
- ``Truth``: the ground truth of a synthetic clip.
- ``hidden_cameras``: cameras around the person, between the angles of the true camera.
- ``load_truth``: reads the truth that ``write_synthetic`` wrote beside the video.
- ``write_synthetic``: renders a synthetic person to ``video.mp4`` and ``truth.npz``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "motion": ["clip_motion", "rotating_motion", "subject_camera", "walking_motion"],
        "outfits": ["OUTFITS"],
        "person": ["Subject", "clothed_mesh", "make_subject", "pose_subject", "subject_betas"],
        "render": ["Take", "render_subject"],
        "take": ["HiddenView", "Truth", "hidden_cameras", "load_truth", "write_synthetic"],
        "truth_garments": ["true_garments"],
    },
)
