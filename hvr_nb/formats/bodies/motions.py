"""Bodies in a world without a camera: AMASS archives (SMPL, SMPL-H, SMPL-X), `.smpl` files (smplcodec)."""

from __future__ import annotations

import numpy as np

from hvr_nb.formats.bodies.people import FoundPerson, person

_SMPL, _SMPLX = (0, 1), 2  # smplVersion: SMPL, SMPL-H; SMPL-X


def is_smpl_codec(content) -> bool:
    """Whether the content of a file is a `.smpl` file with a motion."""
    return isinstance(content, dict) and "bodyPose" in content and "frameCount" in content


def read_smpl_codec(content: dict, film: dict) -> tuple[str, list[FoundPerson]]:
    """The system's name and its one person."""
    poses = np.asarray(content["bodyPose"], float)
    transl = np.asarray(content.get("bodyTranslation", np.zeros((len(poses), 3))))
    version = int(content.get("smplVersion", 0))
    if version not in (*_SMPL, _SMPLX):
        raise ValueError(f"smplVersion {version}, which is neither SMPL, SMPL-H nor SMPL-X")
    betas = np.asarray(content.get("shapeParameters", np.zeros(10)))
    kind = "smplx" if version == _SMPLX else "smpl"
    return ".smpl", [
        person(range(len(poses)), poses.reshape(len(poses), -1), transl, betas, kind=kind, axes="world")
    ]


def is_amass(content) -> bool:
    """Whether the content of a file is an AMASS archive or laid out like one."""
    return (
        isinstance(content, dict)
        and "trans" in content
        and ("poses" in content or {"root_orient", "pose_body"} <= content.keys())
    )


def read_amass(content: dict, film: dict) -> tuple[str, list[FoundPerson]]:
    """The system's name and its one person; SMPL-H by 156 pose values, SMPL-X by 165."""
    if "poses" in content:
        poses = np.asarray(content["poses"], float)
    else:
        poses = np.concatenate([content["root_orient"], content["pose_body"]], axis=-1)
    width = poses.shape[-1]
    if width not in (66, 72, 156, 165):
        raise ValueError(f"poses of {width} values; 66, 72, 156 or 165 are known")
    kind = "smplx" if width == 165 or str(content.get("surface_model_type", "")) == "smplx" else "smpl"
    betas = content.get("betas", np.zeros(10))
    return "AMASS", [person(range(len(poses)), poses, content["trans"], betas, kind=kind, axes="world")]
