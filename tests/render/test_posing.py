"""Novel poses: the wave made here, and motion files."""

import numpy as np
import pytest

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.formats.motion.amass import write_motion
from hvr_nb.geometry.camera import default_camera
from hvr_nb.render.posing import novel_poses
from hvr_nb.types import Body, HvrError


@pytest.fixture
def body():
    camera = default_camera(64, 64)
    return Body(
        np.linspace(-1, 1, 10),
        np.zeros((4, 3)),
        np.zeros((4, 69)),
        np.tile([0.2, 0.1, -3.0], (4, 1)),
        camera,
        np.ones(4, bool),
    )


def test_the_wave_starts_at_the_first_frame_and_moves(body):
    motion = novel_poses(body, frames=12, fps=10)
    assert len(motion) == 12 and np.array_equal(motion.betas, body.betas)
    assert np.allclose(motion.poses[0], body.poses[0]) and np.allclose(motion.transl, body.transl[0])
    wrists = posed(load_body_model(), motion)[1][:, [20, 21]]
    assert np.ptp(wrists, axis=0).max() > 0.2, "the arms move by more than 20 cm"


def test_a_motion_file_is_resampled_and_put_in_place(tmp_path, body):
    moving = Body(
        np.zeros(10), np.zeros((30, 3)), np.zeros((30, 69)), np.zeros((30, 3)), body.camera, np.ones(30, bool)
    )
    moving.body_pose[:, 15 * 3 + 2] = np.linspace(0, 1.2, 30)
    path = write_motion(moving, tmp_path / "m.npz", fps=30)
    motion = novel_poses(body, path, frames=8, fps=15)
    assert len(motion) == 8 and np.array_equal(motion.betas, body.betas)
    joints = posed(load_body_model(), motion)[1]
    assert np.linalg.norm(joints[0, 0] - posed(load_body_model(), body)[1][0, 0]) < 0.35
    with pytest.raises(HvrError, match="missing|not exist"):
        novel_poses(body, tmp_path / "none.npz", frames=3, fps=15)
