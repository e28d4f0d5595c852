"""The trained neural avatar: pictures from any camera in any pose, a mesh, a folder on disk."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import torch
from scipy import ndimage

from hvr_nb.body.model import BodyModel, single_pose
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.canonical.binding import Binding, bind, shifted, skin_weights
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.rays import pixel_rays, shell
from hvr_nb.methods._files import read_avatar
from hvr_nb.methods.nvr import baked, volrend
from hvr_nb.methods.nvr.data import CUT
from hvr_nb.methods.nvr.dress import Dress, make_dress
from hvr_nb.methods.nvr.fit import FAR_OUT
from hvr_nb.methods.nvr.hash_grid import reading_backend
from hvr_nb.methods.nvr.network import AvatarField, FieldOptions
from hvr_nb.methods.nvr.occupancy import LiveGrid
from hvr_nb.methods.nvr.samples import live_samples, positions
from hvr_nb.methods.nvr.saved import Cloth, SavedField, packed, unpack_into
from hvr_nb.methods.nvr.surface import canonical_mesh
from hvr_nb.methods.nvr.warp import pose_bank
from hvr_nb.store.arrays import read_npz, write_npz
from hvr_nb.store.files import write_json
from hvr_nb.types import Body, Camera, Canonical, HvrError, Mesh, Render

CHUNK = 196608  # samples evaluated at once
SCHEMA = 2
SOFT = 2  # softnesses of the surface that a pixel may span: below it, one ray through it says as much as four
OFFSETS = ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))  # of four rays in a pixel


@dataclass(frozen=True)
class RadianceAvatar:
    """A person as a field in the big pose; made by ``reconstruct``, read by ``load``."""

    GIVES: ClassVar[frozenset[str]] = frozenset({"render", "surface", "skin_weights", "mesh", "layers"})
    field: AvatarField
    grid: LiveGrid  # cells of the big pose that may hold something
    canonical: Canonical
    body: Body  # the clip's body with the refined poses, T frames
    codes: np.ndarray  # (T, K) frame codes
    model: BodyModel
    margin: float  # metres the body is inflated by when rays are cast
    held_out: np.ndarray  # frames kept out of training
    history: dict  # of training: step, seconds, psnr_body, ...
    options: dict  # of ``reconstruct``, as used
    dress: Dress | None = None  # loose clothes; ``canonical`` then is theirs
    model_file: str = ""  # path of the body model, "" for the one load_body_model finds

    def render(self, camera: Camera, pose, *, frame: int | None = None, antialias: bool = True) -> Render:
        """One picture.

        Args:
            camera: any camera; distortion is ignored.
            pose: a Body of one frame, or (poses (72,), transl (3,)).
            frame: frame of the clip whose wrinkles and light to show; None shows the mean of all frames.
            antialias: pixels on the outline are the mean of four rays, unless the surface is softer.
        """
        bank = self._bank(pose)
        whole, bounds, counts, inner, drawn = self._bounds(camera, bank, frame)
        pixel = np.flatnonzero(counts)
        size = camera.height * camera.width
        rgb, alpha, depth = (np.zeros((size, *c), np.float32) for c in ((3,), (), ()))

        def paint(which: np.ndarray, share: float, offset: tuple[float, float]) -> None:
            for count in np.unique(counts[which]).tolist():
                group = which[counts[which] == count]
                for part in np.array_split(group, -(-len(group) * count // CHUNK)):
                    got = self._trace(camera, part, offset, bounds[part], bank, frame, count)
                    for target, value in zip((rgb, alpha, depth), got, strict=True):
                        target[part] += share * value

        paint(pixel, 1.0, (0.5, 0.5))
        # A ray inside the baked mesh that met nothing is sampled again, across the whole shell.
        misled = pixel[inner[pixel] & (counts[pixel] < baked.MANY) & (alpha[pixel] < 0.9)]
        rgb[misled], alpha[misled], depth[misled] = 0, 0, 0
        bounds[misled], counts[misled] = whole[misled], baked.MANY
        paint(misled, 1.0, (0.5, 0.5))
        # Where the warp tears, as between an arm and the trunk that it passes, the closed mesh is the floor.
        torn = pixel[inner[pixel] & (alpha[pixel] < 0.9)]
        rgb[torn] += (1 - alpha[torn])[:, None] * drawn.rgb.reshape(-1, 3)[torn]
        alpha[torn], depth[torn] = 1, drawn.depth.ravel()[torn]
        shape = (camera.height, camera.width)
        coarse = antialias and baked.pixel_size(drawn, camera) > SOFT * float(self.field.beta)
        rim = pixel[_rim(alpha.reshape(shape)).ravel()[pixel]] if coarse else pixel[:0]
        middle = depth.copy()  # depth stays that of pixel centres
        rgb[rim], alpha[rim] = 0, 0
        for offset in OFFSETS:
            paint(rim, 1 / len(OFFSETS), offset)
        return Render(rgb.reshape(*shape, 3), alpha.reshape(shape), middle.reshape(shape))

    def sketch(self, camera: Camera, pose, *, frame: int | None = None) -> Render:
        """A picture without the baked mesh, which takes long to make: every ray across the whole shell."""
        bank = self._bank(pose)
        bounds = shell(bank.vertices[0], self.canonical.faces, camera, margin=self.margin, cut=CUT)
        bounds = bounds.reshape(-1, 4).astype(np.float32)
        size, pixel = (camera.height, camera.width), np.flatnonzero(np.isfinite(bounds[:, 0]))
        rgb, alpha, depth = (np.zeros((len(bounds), *c), np.float32) for c in ((3,), (), ()))
        got = self._trace(camera, pixel, (0.5, 0.5), bounds[pixel], bank, frame, baked.MANY)
        for target, value in zip((rgb, alpha, depth), got, strict=True):
            target[pixel] = value
        return Render(rgb.reshape(*size, 3), alpha.reshape(size), depth.reshape(size))

    def render_fast(self, camera: Camera, pose) -> Render:
        """A picture of the baked mesh: mean of all frames, hard outline, tens of pictures a second."""
        return baked.draw_baked(self._mesh, self._mesh_vertices(pose), camera)

    def surface(self, pose=None, *, frame: int | None = None) -> Mesh:
        """The baked mesh in a pose (None: the big pose); vertices correspond, colours are the mean ones.

        Args:
            frame: frame of the clip whose residual motion to show; None shows none.
        """
        if pose is None and frame is None:
            return self._mesh
        if pose is None:
            return replace(self._mesh, vertices=self._mesh.vertices - self._motion(frame))
        binding, bank = self._at_moment(frame), self._bank(pose)
        return replace(self._mesh, vertices=baked.posed_vertices(binding, self.canonical.faces, bank))

    def layers(self, pose=None, *, frame: int | None = None) -> dict[str, Mesh]:
        """The one layer there is: ``surface``, by the name "person"."""
        return {"person": self.surface(pose, frame=frame)}

    def skin_weights(self) -> np.ndarray:
        """(N, 24) float32 skin weights of the vertices of ``surface``; rows sum to one."""
        return skin_weights(self._binding)

    @functools.cached_property
    def _mesh(self) -> Mesh:
        """The avatar as a mesh in the big pose; made when first asked for."""
        return self.mesh()

    @functools.cached_property
    def _binding(self) -> Binding:
        return bind(self._mesh.vertices, self.canonical)

    @functools.cached_property
    def _normals(self) -> np.ndarray:
        return vertex_normals(self.canonical.vertices, self.canonical.faces).astype(np.float32)

    def _bank(self, pose):
        """The posed body of one picture, ready for queries."""
        return pose_bank(
            self.model,
            self.canonical,
            self.body.betas,
            *single_pose(pose),
            device=self.field.low.device,
            dress=self.dress,
        )

    def _mesh_vertices(self, pose) -> np.ndarray:
        return baked.posed_vertices(self._binding, self.canonical.faces, self._bank(pose))

    def _bounds(self, camera: Camera, bank, frame: int | None):
        """Of every pixel: bounds of the shell (H * W, 4) and narrowed bounds (H * W, 4), metres, how many
        samples these need (H * W,), whether the baked mesh covers all its neighbours (H * W,), and the
        picture of that mesh."""
        whole = shell(bank.vertices[0], self.canonical.faces, camera, margin=self.margin, cut=CUT)
        vertices = baked.posed_vertices(self._at_moment(frame), self.canonical.faces, bank)
        drawn = baked.draw_baked(self._mesh, vertices, camera)
        depth = np.where(drawn.alpha > 0, drawn.depth, np.inf)
        bounds, counts = baked.guided_bounds(whole, depth, baked.pixel_size(drawn, camera))
        whole, bounds = (b.reshape(-1, 4).astype(np.float32) for b in (whole, bounds))
        return whole, bounds, counts.ravel(), ndimage.minimum_filter(np.isfinite(depth), 3).ravel(), drawn

    def _at_moment(self, frame: int | None) -> Binding:
        """The baked mesh's vertices with the residual motion of a frame."""
        if frame is None:
            return self._binding
        return shifted(self._binding, self.canonical, -self._motion(frame))

    @torch.no_grad()
    def _motion(self, frame: int) -> np.ndarray:
        """(V, 3) metres, the residual motion of a frame at the baked mesh's vertices."""
        device = self.field.low.device
        code = torch.as_tensor(self.codes[frame : frame + 1], dtype=torch.float32, device=device)
        motion = self.field.residual(torch.as_tensor(self._mesh.vertices, device=device), code)
        return motion.cpu().numpy()

    @torch.no_grad()
    def _trace(self, camera, pixel, offset, bounds, bank, frame, samples):
        """Colour (R, 3), opacity (R,) and depth (R,) of rays; zeros where they meet nothing."""
        origin, direction = pixel_rays(camera, pixel, offset=offset)
        z, _ = positions(bounds, samples, 0.5)
        points = origin.astype(np.float32) + z[..., None] * direction[:, None]
        live = live_samples(
            points,
            np.zeros(len(pixel), np.int64),
            bank,
            self.canonical,
            self._normals,
            self.grid,
            margin=self.margin,
        )
        if live is None:
            return 0, 0, 0
        device = self.field.low.device
        x, distance, normal, up = (
            torch.as_tensor(a, device=device) for a in (live.big, live.distance, live.normal, live.big_normal)
        )
        code = torch.zeros(1, self.codes.shape[1], device=device)
        if frame is not None:
            code = torch.as_tensor(self.codes[frame : frame + 1], dtype=torch.float32, device=device)
            residual = self.field.residual(x, code)
            x, distance = x + residual, distance + (up * residual).sum(-1)
        over, colour = self.field(x, distance, normal, code)
        height = torch.where(torch.as_tensor(live.solid.ravel(), device=device), -FAR_OUT, FAR_OUT)
        known, rgb = (
            torch.zeros(z.size, dtype=torch.bool, device=device),
            torch.zeros(z.size, 3, device=device),
        )
        index = torch.as_tensor(live.index, device=device)
        height[index], rgb[index], known[index] = over[: live.count], colour[: live.count], True
        weights = volrend.crossing_weights(height.view(z.shape), self.field.beta, known.view(z.shape))
        depth = volrend.expected_depth(weights, torch.as_tensor(z, device=device))
        opacity = weights.sum(-1)
        picture = volrend.composite(weights, rgb.view(*z.shape, 3)).clamp(min=0)
        picture = picture.minimum(opacity[:, None])  # light may be brighter than white
        return picture.cpu().numpy(), opacity.cpu().numpy(), depth.cpu().numpy()

    def mesh(self, frame: int | None = None, *, resolution: int | None = None) -> Mesh:
        """The surface as a coloured mesh: in the big pose, or posed as in a frame of the clip.

        Args:
            frame: None for the big pose.
            resolution: marching-cubes cells along the longest side; None: ``baked.RESOLUTION`` (256).
        """
        cells = baked.RESOLUTION if resolution is None else resolution
        mesh = canonical_mesh(self.field, self.canonical, margin=self.margin, resolution=cells)
        if frame is None:
            return mesh
        bound = bind(mesh.vertices, self.canonical)
        vertices = baked.posed_vertices(bound, self.canonical.faces, self._bank(self.body.frame(frame)))
        return replace(mesh, vertices=vertices)

    @property
    def fingerprint(self) -> str:
        """sha256 of everything a picture depends on."""
        digest = hashlib.sha256(self.model.hash.encode())
        for tensor in self.field.state_dict().values():
            digest.update(tensor.cpu().numpy().tobytes())
        arrays = [self.codes, self.grid.state, self.body.betas]
        for array in arrays if self.dress is None else [*arrays, self.canonical.vertices]:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def save(self, folder: str | Path) -> Path:
        """Write the avatar, all that is needed to show it: weights, body, options."""
        folder = Path(folder)
        write_npz(folder / "weights.npz", packed(self.field, self.codes, self.grid), {})
        write_npz(folder / "body.npz", self.body, {})
        if self.dress is not None:
            worn = Cloth(self.canonical.vertices, self.canonical.faces.astype(np.int32))
            write_npz(folder / "cloth.npz", worn, {})
        write_json(
            folder / "options.json",
            {
                "schema": SCHEMA,
                "method": "nvr",
                "model_hash": self.model.hash,
                "margin": self.margin,
                "cloth": self.dress is not None,
                "model_file": self.model_file,
                "field": asdict(self.field.options),
                "frames": len(self.codes),
                "held_out": [int(k) for k in self.held_out],
                "options": self.options,
                "history": self.history,
                "backend": self.field.grid.backend,
            },
        )
        return folder

    def __repr__(self) -> str:
        return f"RadianceAvatar({len(self.body)} frames, {len(self.held_out)} of them held out)"


def load(folder: str | Path, *, device: str = "auto") -> RadianceAvatar:
    """Read an avatar that ``reconstruct`` or ``RadianceAvatar.save`` wrote.

    Raises:
        HvrError: a file is missing or damaged, the body model at hand is not the avatar's, or the
            avatar was trained with tiny-cuda-nn, which is not here.
    """
    folder, remedy = Path(folder), "run 05_train again"
    options, model, body = read_avatar(folder, "nvr", schema=SCHEMA, remedy=remedy)
    weights, _ = read_npz(folder / "weights.npz", SavedField, remedy=remedy)
    canonical, dress = make_canonical(body, model), None
    if options.get("cloth", False):
        worn, _ = read_npz(folder / "cloth.npz", Cloth, remedy=remedy)
        dress = make_dress(worn.vertices, worn.faces.astype(np.int64), canonical)
        canonical = dress.canonical
    target = pick_device(device)
    backend = reading_backend(options["backend"], target)
    if backend is None:
        raise HvrError(
            f"{folder} was trained with tiny-cuda-nn, whose tables nothing else reads; load it "
            f"on CUDA where tinycudann imports, or {remedy} here"
        )
    field = AvatarField(
        canonical.bounds, options["frames"], FieldOptions(**options["field"]), device=target, backend=backend
    )
    unpack_into(field, weights, folder / "weights.npz")
    grid = LiveGrid(weights.low, weights.cell, weights.state)
    return RadianceAvatar(
        field,
        grid,
        canonical,
        body,
        weights.codes,
        model,
        options["margin"],
        np.asarray(options["held_out"], np.int64),
        options["history"],
        options["options"],
        dress,
        options["model_file"],
    )


def pick_device(device: str) -> torch.device:
    """The device called ``device``; "auto" is CUDA where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise HvrError('device is "cuda" but no CUDA device is found; choose "cpu" or "auto"')
    return torch.device(device)


def _rim(alpha: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels whose 3x3 neighbourhood is neither all covered nor all empty."""
    square = np.ones((3, 3), np.uint8)
    return cv2.dilate(alpha, square) - cv2.erode(alpha, square) > 0.1
