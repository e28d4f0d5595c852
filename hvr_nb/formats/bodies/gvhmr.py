"""GVHMR (`hmr4d_results.pt`) and GENMO (`smpl_params.pt`): one person, SMPL-X, every frame of the film."""

from __future__ import annotations

import numpy as np

from hvr_nb.formats.bodies.people import FoundPerson, person

NAMES = {"smpl_params_incam": "GVHMR", "body_params_incam": "GENMO"}


def is_gvhmr(content) -> bool:
    """Whether the content of a file is GVHMR's or GENMO's result."""
    return isinstance(content, dict) and "K_fullimg" in content and any(key in content for key in NAMES)


def read_gvhmr(content: dict, film: dict) -> tuple[str, list[FoundPerson]]:
    """The system's name and its one person."""
    key = next(key for key in NAMES if key in content)
    body, K = content[key], np.asarray(content["K_fullimg"], float).reshape(-1, 3, 3)[0]
    poses = np.concatenate([body["global_orient"], body["body_pose"]], axis=-1)
    found = person(
        range(len(poses)),
        poses,
        body["transl"],
        body["betas"],
        kind="smplx",
        focal=K[0, 0],
        centre=(K[0, 2], K[1, 2]),
    )
    return NAMES[key], [found]
