"""``python -m hvr_nb pose3d VIDEO``: the people of a video as 3D skeletons, and nothing else."""

from __future__ import annotations

import argparse
from pathlib import Path

from hvr_nb.store.places import POSE3D
from hvr_nb.types import HvrError


def add_pose3d(commands) -> None:
    """Add the ``pose3d`` command to the subparsers of the command line."""
    command = commands.add_parser(
        "pose3d", help="the people of a video as 3D skeletons: npz, csv, trc, bvh, glb, mp4"
    )
    command.add_argument("video", type=Path, help="video file or folder of pictures")
    command.add_argument(
        "--out", type=Path, help="new folder to write (default: data/pose3d/<name of the video>)"
    )
    command.add_argument(
        "--person",
        default="all",
        metavar="WHO",
        help="all (default); first: whoever is seen whole first, the largest of several; or a "
        "number, 0 being the most prominent",
    )
    command.add_argument(
        "--keypoints",
        default="",
        metavar="PATH",
        help="2D joints of another program (one person) instead of detecting",
    )
    command.add_argument("--start", type=int, default=0, help="first frame to take")
    command.add_argument("--stop", type=int, default=0, help="frame after the last; 0: to the end")
    command.add_argument("--stride", type=int, default=1, help="take every n-th frame")
    command.add_argument("--max-side", type=int, default=1280, help="shrink larger frames, pixels; 0: never")
    command.add_argument("--fps", type=float, default=0.0, help="frames per second of a folder of pictures")
    command.add_argument(
        "--focal",
        type=float,
        default=0.0,
        help="focal length in pixels of the frames taken; 0: from metadata, else 1.2 times the larger side",
    )
    command.add_argument("--height", type=float, default=0.0, help="of the people, metres; 0: not known")
    command.add_argument("--weights", type=Path, help="another lifter: .npz of this project, .bin or .pth")
    command.add_argument("--no-video", action="store_true", help="leave out the side-by-side video")
    command.set_defaults(act=_pose3d)


def _pose3d(args: argparse.Namespace) -> int:
    from hvr_nb.export.people import write_people
    from hvr_nb.geometry.camera import choose_camera
    from hvr_nb.lift.people import lift_people
    from hvr_nb.store.video import read_video

    out = args.out or POSE3D / args.video.stem
    _check(args, out)
    video = read_video(
        args.video, start=args.start, stop=args.stop, stride=args.stride, max_side=args.max_side, fps=args.fps
    )
    print(video)
    height, width = video.frames.shape[1:3]
    camera = choose_camera(width, height, focal=args.focal, metadata_focal=video.info["focal"])
    seen = _people(args, video)
    people = lift_people(seen, camera, fps=video.fps, heights=[args.height] * len(seen), weights=args.weights)
    people = _chosen(args.person, people, size=(width, height), fps=video.fps)
    files = write_people(out, people, video.frames, fps=video.fps, times=video.times, video=not args.no_video)
    print(f"camera: {camera}; lifted by {people[0].lifted.source}")
    print("\n".join([*people_summary(people), *map(str, files)]))
    return 0


def _check(args: argparse.Namespace, out: Path) -> None:
    """Refuse what cannot be meant before anything is read."""
    if not (args.person in ("all", "first") or args.person.isdecimal()):
        raise HvrError(f"--person is {args.person!r}; give all, first or a number from 0")
    if args.height and not 0.4 <= args.height <= 2.8:
        raise HvrError(f"--height is {args.height}; give metres, 0.4 to 2.8, or leave it out")
    if args.weights and not args.weights.is_file():
        raise HvrError(
            f"{args.weights} is missing; give the path of a lifter's weights, or leave --weights out"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise HvrError(f"{out} is there already and is not replaced; give another --out")


def _people(args: argparse.Namespace, video) -> list:
    """Keypoints of everybody, detected or another program's."""
    if not args.keypoints:
        from hvr_nb.keypoints.follow import detect_people

        return detect_people(video.frames, fps=video.fps)
    from hvr_nb.formats.joints2d.keypoints import read_keypoints

    size = video.frames.shape[2:0:-1]
    return [read_keypoints(args.keypoints, names=video.names, size=size, film=video.info)]


def _chosen(who: str, people: list, *, size: tuple[int, int], fps: float) -> list:
    """The ``people`` (Person3D) that ``--person`` asks for; size: width, height of the frames, pixels."""
    from hvr_nb.keypoints.identity import first_complete

    if who == "all":
        return people
    if who == "first":
        return [people[first_complete([p.keypoints for p in people], size=size, fps=fps)]]
    found = [p for p in people if p.number == int(who)]
    if not found:
        numbers = ", ".join(str(p.number) for p in people)
        raise HvrError(f"--person {who} was asked for; those found are {numbers}")
    return found


def people_summary(people: list) -> list[str]:
    """A line for each of ``people`` (Person3D): when seen, on how much ground, how long feet stand."""
    import numpy as np

    lines = []
    for person in people:
        valid = np.flatnonzero(person.joints.valid)
        metres = np.hypot(*np.ptp(person.placed.root[valid][:, [0, 2]], axis=0))
        lines.append(
            f"person {person.number}: {len(valid)} of {len(person.joints.valid)} frames "
            f"({valid[0]} to {valid[-1]}), within {metres:.2f} m of ground, feet stand "
            f"{100 * person.placed.contacts[valid].mean():.0f} % of the time, "
            f"confidence {person.lifted.confidence[valid].mean():.2f}"
        )
    return lines
