"""Import of 2D joints in any of the known layouts (docs/formats.md, 4)."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from hvr_nb.formats.joints2d.alphapose import is_by_picture, is_flat_list, people_by_picture, people_of_list
from hvr_nb.formats.joints2d.coco import coco_people, is_coco
from hvr_nb.formats.joints2d.easymocap import annots_people, is_annots
from hvr_nb.formats.joints2d.mmpose import is_mmpose_film, is_mmpose_picture, mmpose_film, mmpose_people
from hvr_nb.formats.joints2d.openpose import is_openpose, openpose_people
from hvr_nb.formats.joints2d.people import keypoints_of
from hvr_nb.formats.joints2d.pose_npz import read_pose_npz
from hvr_nb.formats.joints2d.seen import SeenPeople, read_json_content
from hvr_nb.types import HvrError, Keypoints

KNOWN = (
    "OpenPose, Pose2Sim, EasyMocap, AlphaPose, PoseFlow, MMPose, COCO (json), Detectron, VideoPose3D or "
    "kpts (npz)"
)
_SNIFFED = 64  # bytes, the first of which that is not a space tells whether a file is JSON
_STARTS = (b"{", b"[", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def read_keypoints(
    path: str | Path,
    *,
    size: tuple[int, int],
    names: list[str] | None = None,
    film: dict | None = None,
    pictures_size: Sequence[float] | None = None,
    person: int = 0,
) -> Keypoints:
    """The 2D joints of one person from a file or folder of another program.

    Folders with one JSON file for each picture (OpenPose, Pose2Sim, EasyMocap's ``annots/<sub>``, MMPose);
    JSON files of a film (AlphaPose, PoseFlow, MMPose, COCO); npz files of Detectron, VideoPose3D or with an
    array ``kpts`` (T, J, 2 or 3). The layout is recognised by the content, not by names; the order of the
    joints by their number and the lengths of their bones (17, 18, 23, 25, 26, 33, 70, 133 or 136).

    Args:
        path: the folder or file. size: width, height of the clip's frames, pixels.
        names: T frame names of the clip, matched by name or by the range of numbers; None takes those of
            the file.
        film: what stage 00 knows about the film, ``clip.info["source"]``: its ``size``, in whose pixels other
            programs measure, and its number of ``frames``, which tells whether they count from 0 or 1.
        pictures_size: width, height of the pictures that the joints were found in, if the file does not say
            it and they are neither the film's nor the clip's.
        person: 0 for the most prominent person, 1 for the next, and so on; in a VideoPose3D file, the
            number of the sequence.

    Raises:
        HvrError: nothing is there, none of these layouts, other joints, or joints of other pictures.
    """
    path = Path(path)
    seen = _folder(path) if path.is_dir() else _file(path, person)
    person = 0 if seen.source == "videopose3d" else person
    return keypoints_of(
        seen, path, names=names, size=size, film=film or {}, given=pictures_size, person=person
    )


def _file(path: Path, person: int) -> SeenPeople:
    if not path.is_file():
        problem = "is not an ordinary file" if path.exists() else "does not exist"
        raise HvrError(f"{path} {problem}; check the path of the 2D joints")
    with open(path, "rb") as file:
        start = file.read(6)
    if start == b"\x93NUMPY" or zipfile.is_zipfile(path):
        return read_pose_npz(path, person=person)
    content = read_json_content(path)
    seen = _of_film(content, path)
    return seen or _of_pictures([path], [content])


def _folder(path: Path) -> SeenPeople:
    files = [f for f in sorted(path.iterdir()) if f.is_file() and f.name[0] != "." and _looks_like_json(f)]
    if not files:
        inner = [f.name for f in sorted(path.iterdir()) if f.is_dir()]
        below = f"; give one of the folders in it ({', '.join(inner[:5])})" if inner else ""
        raise HvrError(f"{path} holds no .json files{below}; 2D joints are read from {KNOWN}")
    contents = [read_json_content(file) for file in files]
    if len(files) == 1 and (seen := _of_film(contents[0], files[0])):
        return seen
    return _of_pictures(files, contents)


def _looks_like_json(file: Path) -> bool:
    try:
        with open(file, "rb") as stream:
            return stream.read(_SNIFFED).lstrip().startswith(_STARTS)
    except OSError as error:
        raise HvrError(f"{file} cannot be read ({error}); check who may read it") from error


def _of_film(content, path: Path) -> SeenPeople | None:
    """People of a file that holds a whole film; None if it holds one picture, or has no known layout."""
    readers = (
        (is_coco, coco_people),
        (is_mmpose_film, mmpose_film),
        (is_flat_list, _flat),
        (is_by_picture, people_by_picture),
    )
    read = next((read for is_so, read in readers if is_so(content)), None)
    if read is None or is_annots(content):
        return None
    try:
        return read(content)
    except HvrError as error:
        raise HvrError(f"{path}: {error}") from None
    except _ODD as error:
        raise HvrError(f"{path} is not laid out as {_NAMES[read]} ({error!r}); write it again") from error


def _flat(content: list) -> SeenPeople:
    numbered = isinstance(content[0]["image_id"], int)
    return people_of_list(content, "coco" if numbered else "alphapose")


_ODD = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
_NAMES = {
    coco_people: "COCO's joints",
    mmpose_film: "MMPose's joints",
    _flat: "AlphaPose's or COCO's joints",
    people_by_picture: "PoseFlow's or AlphaPose's joints",
}


def _of_pictures(files: list[Path], contents: list) -> SeenPeople:
    """People of files with one picture each."""
    people, sizes, sources = [], {}, set()
    for file, content in zip(files, contents, strict=True):
        try:
            if is_openpose(content):
                here, source = openpose_people(content), "openpose"
            elif is_annots(content):
                (here, size), source = annots_people(content), "easymocap"
                sizes.setdefault(size, file.name)
            elif is_mmpose_picture(content):
                here, source = mmpose_people(content), "mmpose"
            else:
                raise HvrError(
                    f"{file} is neither a picture's joints as OpenPose (people), EasyMocap (annots) or "
                    f"MMPose (instances) write them, nor a film's; known are {KNOWN}"
                )
        except _ODD as error:
            raise HvrError(f"{file} is not laid out as 2D joints ({error!r}); write it again") from error
        people.append(here)
        sources.add(source)
    if len(sources) > 1:
        raise HvrError(
            f"{files[0].parent} mixes the layouts of {' and '.join(sorted(sources))}; keep one of them"
        )
    if len(sizes) > 1:
        said = ", ".join(f"{name} {w}x{h}" for (w, h), name in list(sizes.items())[:3])
        raise HvrError(
            f"{files[0].parent}: the files name pictures of different sizes ({said}); make the joints "
            "from one film"
        )
    stems = [file.stem.removesuffix("_keypoints") for file in files]
    return SeenPeople(stems, people, sources.pop(), size=next(iter(sizes), None))
