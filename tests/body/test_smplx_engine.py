"""Posing with smplx: the same vertices and joints, from files that smplx never opens."""

import pickle
import sys

import numpy as np
import pytest
import torch

from hvr_nb.body.model import load_body_model
from hvr_nb.formats.models.smpl_file import export_smpl_pickle
from hvr_nb.types import HvrError

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("kind", ["open body", "pickle"])
def test_it_poses_like_the_own_forward_pass(kind, tmp_path, monkeypatch, capsys):
    path = (
        None if kind == "open body" else export_smpl_pickle(load_body_model(), tmp_path / "SMPL_NEUTRAL.pkl")
    )
    own = load_body_model(path)

    def refuse(*_args, **_kwargs):
        raise AssertionError("a user's file was unpickled")

    monkeypatch.setattr(pickle, "load", refuse)
    theirs = load_body_model(path, engine="smplx")
    assert "posed by smplx" in repr(theirs) and theirs.hash == own.hash and own.engine is None
    g = torch.Generator().manual_seed(4)
    for _ in range(3):
        betas, poses = 1.5 * torch.randn(10, generator=g), 0.7 * torch.randn(4, 72, generator=g)
        transl = torch.randn(4, 3, generator=g)
        for mine, other in zip(
            own.pose(betas, poses, transl), theirs.pose(betas, poses, transl), strict=True
        ):
            np.testing.assert_allclose(mine, other, atol=1e-5)
    ids = torch.tensor([332, 0, 6889])
    some = theirs.pose(betas, poses, transl, vertex_ids=ids)[0]
    np.testing.assert_allclose(some, own.pose(betas, poses, transl)[0][:, ids], atol=1e-5)
    assert capsys.readouterr().out == ""


def test_what_cannot_be_is_said(monkeypatch):
    with pytest.raises(HvrError, match="no engine 'smpl'"):
        load_body_model(engine="smpl")
    monkeypatch.setitem(sys.modules, "smplx", None)
    with pytest.raises(HvrError, match="smplx cannot be imported"):
        load_body_model(engine="smplx")
