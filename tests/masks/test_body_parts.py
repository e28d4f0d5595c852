"""Parts of the body around the 2D skeleton: what is where, whatever is known of it."""

import numpy as np
import pytest
from golden import Golden

from hvr_nb.masks.body_parts import PARTS, part_map
from hvr_nb.types import Keypoints

GOLDEN = Golden(__file__)
JOINTS = {0: (130, 52), 1: (130, 82), 2: (108, 84), 3: (84, 122), 4: (62, 156), 5: (152, 84), 6: (176, 122),
          7: (198, 156), 8: (130, 164), 9: (117, 164), 10: (106, 222), 11: (98, 280), 12: (143, 164),
          13: (154, 222), 14: (162, 280), 15: (124, 46), 16: (136, 46), 17: (117, 50), 18: (143, 50),
          19: (176, 292), 21: (160, 290), 22: (84, 292), 24: (100, 290)}  # fmt: skip
GRID = np.stack(np.meshgrid(np.arange(40.0, 220, 9), np.arange(20.0, 300, 9)), -1).reshape(-1, 2)


def standing(*unknown: int, depth=None, facing=True, lying=False) -> Keypoints:
    """A person seen from in front or behind, without the joints ``unknown``; depths (33,) in metres."""
    points = np.zeros((1, 25, 3))
    for joint, place in JOINTS.items():
        points[0, joint] = *place, joint not in unknown
    if not facing:
        points[0, :, 0] = 260 - points[0, :, 0]
    if lying:
        points[0, :, :2] = points[0, :, 1::-1]
    world = None if depth is None else np.zeros((1, 33, 3))
    if depth is not None:
        world[0, :, 2] = depth
    flags = np.zeros((1, 25), bool), np.ones(1, bool), np.zeros((1, 4))
    return Keypoints(points, *flags, world=world)


def parts_at(keypoints, *places):
    parts = part_map(keypoints, 0, np.array(places, float), size=250.0)
    return [PARTS[k] for k in parts.share.argmax(1)], parts


def test_every_bone_has_its_part():
    def between(a, b, u=0.5):
        return np.array(JOINTS[a]) * (1 - u) + np.array(JOINTS[b]) * u

    places = {
        "left upper arm": between(5, 6), "left forearm": between(6, 7), "left hand": between(6, 7, 1.25),
        "right upper arm": between(2, 3), "right forearm": between(3, 4), "right hand": between(3, 4, 1.25),
        "left thigh": between(12, 13), "left shin": between(13, 14), "left foot": between(19, 21),
        "right thigh": between(9, 10), "right shin": between(10, 11), "right foot": between(22, 24),
        "head": (130, 45), "neck": (130, 71), "torso": (130, 120), "hips": (130, 174),
    }  # fmt: skip
    found, parts = parts_at(standing(), *places.values())
    assert found == list(places)
    along = parts.along[range(8), [PARTS.index(n) for n in list(places)[:8]]]
    np.testing.assert_allclose(along, [0.5, 0.5, 0.625, 0.5, 0.5, 0.625, 0.5, 0.5], atol=1e-5)


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"facing": False},
        {"lying": True},
        {"depth": np.linspace(-0.5, 0.5, 33)},
        {"unknown": (0, 17)},
        {"unknown": (1, 17, 18, 19, 24)},
        {"unknown": (5, 12, 16, 18, 21)},
        {"unknown": (0, 15, 16, 17, 18, 3, 10, 14)},
    ],
    ids=["ahead", "behind", "lying", "deep", "in profile", "no neck", "half", "no head"],
)
def test_golden_parts(case, request):
    person = standing(*case.get("unknown", ()), **{k: v for k, v in case.items() if k != "unknown"})
    parts = part_map(person, 0, GRID, size=250.0)
    for name in ("share", "along", "face", "crown"):
        GOLDEN.check(f"{request.node.callspec.id}: {name}", getattr(parts, name), abs=1e-7)
