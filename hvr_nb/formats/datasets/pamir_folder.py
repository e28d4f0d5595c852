"""PaMIR's folders of training data, in and out (docs/pamir.md, 7).

``data_list.txt`` names the items. An item has ``mesh_data/<item>/`` (one .obj, ``smpl/smpl_mesh.obj``,
``smpl/smpl_param.pkl``) and ``image_data/<item>/`` (``color/0000.jpg``, ``mask/0000.png``,
``sample/samples.mat``, ``sample/sample2smpl.mat``). View k is the scan turned by k degrees about the
vertical, seen by PaMIR's camera.
"""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import trimesh
from scipy.io import loadmat, savemat
from scipy.spatial import cKDTree

from hvr_nb.formats.models.mesh_file import save_mesh
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.files import read_image, write_image
from hvr_nb.store.safe_pickle import read_values
from hvr_nb.types import HvrError, Mesh

SETS = ("surface_points_inside", "surface_points_outside", "uniform_points_inside", "uniform_points_outside")
NEAREST = 4  # vertices of the body that a point is associated with
_NAME = re.compile(r"[\w.-]+")
_LARGEST = 10_000_000  # points of one set
_BODY = {"betas": 10, "global_orient": 3, "global_body_translation": 3, "body_scale": 1, "body_pose": 72}


@dataclass(frozen=True)
class PamirItem:
    """One scan of PaMIR's training data, in the unit cube."""

    name: str
    folder: Path  # the root
    views: tuple[int, ...]  # numbers of the pictures, degrees
    points: dict[str, np.ndarray] = field(repr=False)  # of ``SETS``, each (M, 3) float32
    body: Mesh | None = field(repr=False, default=None)  # of the fitted SMPL, 6890 vertices
    parameters: dict[str, np.ndarray] = field(repr=False, default_factory=dict)  # of the fitted SMPL

    def picture(self, view: int) -> tuple[np.ndarray, np.ndarray]:
        """The picture (S, S, 3) uint8 RGB of a view and its mask (S, S) uint8."""
        place = self.folder / "image_data" / self.name
        remedy = "render the item again"
        picture = read_image(place / "color" / f"{view:04d}.jpg", remedy=remedy)
        mask = read_image(place / "mask" / f"{view:04d}.png", remedy=remedy)
        mask = mask[..., 0] if mask.ndim == 3 else mask
        if mask.shape != picture.shape[:2]:
            raise HvrError(
                f"{place / 'mask' / f'{view:04d}.png'} has another size than its picture; {remedy}"
            )
        return picture, mask


def turn_to_view(points: np.ndarray, view: float) -> np.ndarray:
    """Points (N, 3) of a scan as the camera of a view sees them: turned by ``view`` degrees about y."""
    angle = np.radians(view)
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], points.dtype)


def pamir_items(root: str | Path) -> list[str]:
    """The names in ``data_list.txt``.

    Raises:
        HvrError: the list is missing or empty, or a name is none of a folder beside it.
    """
    path = Path(root) / "data_list.txt"
    if not path.is_file():
        raise HvrError(
            f"{path} is missing; give the folder that holds mesh_data, image_data and data_list.txt"
        )
    names = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    bad = [name for name in names if not _NAME.fullmatch(name) or name in (".", "..")]
    if bad or not names:
        raise HvrError(
            f"{path} names {bad[0]!r}, not a folder" if bad else f"{path} is empty; list the items"
        )
    return names


def read_pamir_item(root: str | Path, name: str) -> PamirItem:
    """Read one item, without its pictures, which ``PamirItem.picture`` reads.

    Raises:
        HvrError: a file is missing, damaged or does not fit; the message names it.
    """
    root = Path(root)
    place = root / "image_data" / name
    views = sorted(int(p.stem) for p in (place / "color").glob("*.jpg") if p.stem.isdecimal())
    if not views:
        raise HvrError(f"{place / 'color'} has no pictures 0000.jpg ...; render the item first")
    points = _sets(_found(root, name, "samples.mat"))
    smpl = root / "mesh_data" / name / "smpl"
    body = _body_mesh(smpl / "smpl_mesh.obj") if (smpl / "smpl_mesh.obj").exists() else None
    parameters = _parameters(smpl / "smpl_param.pkl") if (smpl / "smpl_param.pkl").exists() else {}
    return PamirItem(name, root, tuple(views), points, body, parameters)


def write_pamir_item(
    root: str | Path,
    name: str,
    *,
    mesh: Mesh,
    pictures: dict[int, tuple[np.ndarray, np.ndarray]],
    points: dict[str, np.ndarray],
    body: Mesh,
    parameters: dict[str, np.ndarray],
) -> Path:
    """Write one item in PaMIR's layout and add it to ``data_list.txt``; returns its ``image_data`` folder.

    Args:
        mesh: the scan in the unit cube.
        pictures: by view in degrees, (S, S, 3) uint8 and mask (S, S) uint8.
        points: of ``SETS``, each (M, 3). body: SMPL fitted to the scan, 6890 vertices.
        parameters: betas (10,), global_orient (3,), body_pose (72,), global_body_translation (3,) and
            body_scale (1,).

    Raises:
        HvrError: the name is no name of a folder, the item is there already, or a value has another shape.
    """
    root = Path(root)
    place, scan = root / "image_data" / name, root / "mesh_data" / name
    if not _NAME.fullmatch(name) or place.exists() or scan.exists():
        raise HvrError(f"{name!r} cannot be written into {root}; choose the name of a new folder")
    values = {key: np.asarray(parameters.get(key, np.zeros(0)), np.float32).reshape(1, -1) for key in _BODY}
    wrong = [key for key, size in _BODY.items() if values[key].shape != (1, size)]
    if wrong or set(points) != set(SETS):
        raise HvrError(
            f"{name}: {wrong[0] if wrong else 'the sets of points'} has another shape than PaMIR's files"
        )
    (scan / "smpl").mkdir(parents=True)
    save_mesh(mesh, scan / f"{name}.obj")
    save_mesh(body, scan / "smpl" / "smpl_mesh.obj")
    with atomic(scan / "smpl" / "smpl_param.pkl") as partial, open(partial, "wb") as file:
        pickle.dump(values, file, protocol=2)
    for view, (picture, mask) in pictures.items():
        data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        with atomic(place / "color" / f"{view:04d}.jpg") as partial:
            partial.write_bytes(data.tobytes())
        write_image(place / "mask" / f"{view:04d}.png", mask)
    (place / "sample").mkdir(parents=True)
    savemat(place / "sample" / "samples.mat", {key: points[key].astype(np.float32) for key in SETS})
    savemat(place / "sample" / "sample2smpl.mat", _associated(points, np.asarray(body.vertices)))
    listed = root / "data_list.txt"
    before = listed.read_text() if listed.exists() else ""
    with atomic(listed) as partial:
        partial.write_text(before + name + "\n")
    return place


def _associated(points: dict[str, np.ndarray], vertices: np.ndarray) -> dict[str, np.ndarray]:
    """Distances and numbers of the four nearest vertices of the body, by set."""
    tree, out = cKDTree(vertices), {}
    for key, value in points.items():
        distance, index = tree.query(value, k=NEAREST)
        out |= {f"dist_{key}": distance.astype(np.float32), f"idx_{key}": index.astype(np.int32)}
    return out


def _found(root: Path, name: str, file: str) -> Path:
    places = [root / kind / name / "sample" / file for kind in ("image_data", "mesh_data")]
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        raise HvrError(f"{places[0]} is missing; sample the item's occupancy first")
    return path


def _sets(path: Path) -> dict[str, np.ndarray]:
    try:
        content = loadmat(path, variable_names=SETS)
        out = {key: np.asarray(content[key], np.float32) for key in SETS}
    except Exception as error:  # noqa: BLE001  scipy raises many types for a damaged file
        raise HvrError(
            f"{path} has no sets of points ({error}); sample the item's occupancy again"
        ) from error
    for key, value in out.items():
        if value.ndim != 2 or value.shape[1] != 3 or len(value) > _LARGEST or not np.isfinite(value).all():
            raise HvrError(f"{path}: {key} is no list of points; sample the item's occupancy again")
    if not len(out["surface_points_inside"]):
        raise HvrError(
            f"{path}: no point is inside. The scan is not watertight; close its holes, then sample it again"
        )
    return out


def _body_mesh(path: Path) -> Mesh:
    try:
        found = trimesh.load(path, process=False, force="mesh")
        return Mesh(np.asarray(found.vertices, np.float32), np.asarray(found.faces, np.int64))
    except Exception as error:  # noqa: BLE001  trimesh raises many types for a damaged file
        raise HvrError(f"{path} is no mesh ({error}); fit SMPL to the item again") from error


def _parameters(path: Path) -> dict[str, np.ndarray]:
    content = read_values(path)
    if not isinstance(content, dict) or not _BODY.keys() <= content.keys():
        raise HvrError(f"{path} lacks {', '.join(_BODY)}; fit SMPL to the item again")
    try:
        return {key: np.asarray(content[key], np.float32).reshape(-1)[:size] for key, size in _BODY.items()}
    except (ValueError, TypeError) as error:
        raise HvrError(f"{path} is damaged ({error}); fit SMPL to the item again") from error
