"""Posing with the package ``smplx`` in place of this project's own forward pass.

For comparisons with other programs, or where the reference is preferred. ``smplx`` never opens a file here:
it gets the arrays of the restricted reader. Its licence is for non-commercial research (docs/licences.md).
"""

from __future__ import annotations

import contextlib
import io

import numpy as np
from torch import Tensor

from hvr_nb.types import HvrError


class SmplxEngine:
    """The forward pass of Loper et al. 2015 as ``smplx.SMPLLayer`` computes it."""

    def __init__(
        self,
        v_template: Tensor,
        shapedirs: Tensor,
        posedirs: Tensor,
        J_regressor: Tensor,
        weights: Tensor,
        faces: np.ndarray,
        parents: tuple[int, ...],
    ):
        """Arrays as in ``BodyModel``.

        Raises:
            HvrError: smplx is not installed, or the mesh is too small for it.
        """
        smplx = _smplx()
        count = len(v_template)
        needed = max(smplx.vertex_ids.vertex_ids["smplh"].values())
        if count <= needed:
            raise HvrError(
                f"smplx reads landmarks up to vertex {needed} and this model has {count} vertices; load it "
                "without engine"
            )
        data = smplx.utils.Struct(
            v_template=v_template.numpy(),
            f=faces,
            shapedirs=shapedirs.numpy(),
            posedirs=posedirs.numpy().T.reshape(count, 3, 207),
            J_regressor=J_regressor.numpy(),
            weights=weights.numpy(),
            kintree_table=np.array([parents, range(24)]),
        )
        with contextlib.redirect_stdout(io.StringIO()):  # it prints a warning about files of 10 betas
            self._layer = smplx.SMPLLayer("", data_struct=data)

    def pose_matrices(
        self, betas: Tensor, rotations: Tensor, transl: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """``BodyModel.pose_matrices`` of all vertices.

        Args:
            betas: (10,). rotations: (B, 24, 3, 3) local. transl: (B, 3) metres.

        Returns:
            vertices (B, V, 3), joints (B, 24, 3), transforms (B, 24, 3, 4) relative to the rest pose.
        """
        layer, count = self._layer, len(rotations)
        shape = betas.expand(count, -1)
        made = layer(betas=shape, global_orient=rotations[:, :1], body_pose=rotations[:, 1:], transl=transl)
        lbs = _smplx().lbs
        rest = lbs.vertices2joints(
            layer.J_regressor, layer.v_template + lbs.blend_shapes(shape, layer.shapedirs)
        )
        _, relative = lbs.batch_rigid_transform(rotations, rest, layer.parents, dtype=rotations.dtype)
        return made.vertices, made.joints[:, :24], relative[:, :, :3]


def _smplx():
    try:
        import smplx
    except ImportError as error:
        raise HvrError(
            f"smplx cannot be imported ({error}); pip install smplx, or load the model without engine"
        ) from error
    return smplx
