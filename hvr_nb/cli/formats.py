"""``python -m hvr_nb import ...`` and ``... export ...``: clips from and to the layouts of other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from hvr_nb.types import HvrError

METHOD_HELP = "the method whose avatar is meant, where the clip has several"


def add_import(commands) -> None:
    """Add the ``import`` command to the subparsers of the command line."""
    command = commands.add_parser(
        "import", help="make a clip from another program's data, ready for 04_canonical"
    )
    kinds = command.add_subparsers(dest="layout", required=True)
    zju = kinds.add_parser("zju", help="one camera of a ZJU-MoCap, MonoCap or instant-nvr root")
    zju.add_argument("source", metavar="ROOT", type=Path, help="folder with annots.npy")
    zju.add_argument("--camera", type=int, default=0, help="which camera, from 0")
    zju.set_defaults(act=_import_zju)
    snapshot = kinds.add_parser("people-snapshot", help="a People-Snapshot sequence (needs h5py)")
    snapshot.add_argument("source", metavar="DIR", type=Path, help="folder of one sequence")
    snapshot.set_defaults(act=_import_people_snapshot)
    selfrecon = kinds.add_parser("selfrecon", help="a SelfRecon data folder; says which input is wrong")
    recmv = kinds.add_parser("recmv", help="a REC-MV data folder: the same with labels and lines of garments")
    for kind in (selfrecon, recmv):
        kind.add_argument(
            "source", metavar="DIR", type=Path, help="folder with imgs, masks, smpl_rec.npz, camera.npz"
        )
        kind.set_defaults(act=_import_selfrecon)
    pamir = kinds.add_parser("pamir", help="PaMIR's folder of pictures: X.png, X_mask.png, X_smplparams.pkl")
    pamir.add_argument("source", metavar="DIR", type=Path, help="folder with X.png and X_mask.png")
    pamir.add_argument("clip", metavar="CLIP", type=Path, help="clip folder to write")
    pamir.set_defaults(act=_import_pamir)
    for kind in (zju, selfrecon, recmv, pamir):
        kind.add_argument("--fps", type=float, default=30.0, help="frames per second of the frames taken")
    for kind in (zju, snapshot, selfrecon, recmv):
        kind.add_argument("clip", metavar="CLIP", type=Path, help="clip folder to write")
        kind.add_argument("--start", type=int, default=0, help="first frame to take")
        kind.add_argument("--stop", type=int, default=0, help="frame after the last; 0: to the end")
        kind.add_argument("--stride", type=int, default=1, help="take every n-th frame")
        kind.add_argument("--max-side", type=int, default=0, help="shrink larger frames, pixels; 0: never")


def add_export(commands) -> None:
    """Add the ``export`` command to the subparsers of the command line."""
    command = commands.add_parser("export", help="write a clip for another program")
    kinds = command.add_subparsers(dest="layout", required=True)
    zju = kinds.add_parser("zju", help="frames, masks, camera and body as an instant-nvr root")
    zju.add_argument(
        "--no-grids", action="store_true", help="leave out the skinning grids (5 to 15 MB a frame)"
    )
    zju.set_defaults(act=_export_zju)
    selfrecon = kinds.add_parser(
        "selfrecon", help="frames, masks, camera and body as a SelfRecon data folder"
    )
    selfrecon.set_defaults(act=_export_selfrecon)
    recmv = kinds.add_parser("recmv", help="the same with labels and lines of garments, as REC-MV reads it")
    recmv.add_argument("--garments", nargs="+", help="kinds of garments worn, upper ones first; else guessed")
    recmv.add_argument("--weights", action="store_true", help="also the diffused blend weights (1.6 GB)")
    recmv.set_defaults(act=_export_recmv)
    pamir = kinds.add_parser("pamir", help="crops, masks, joints, bodies and meshes as PaMIR's folder")
    pamir.set_defaults(act=_export_pamir)
    bvh = kinds.add_parser("bvh", help="the body's motion as a BVH file")
    bvh.set_defaults(act=_export_bvh)
    avatar = kinds.add_parser(
        "avatar", help="the trained avatar as .glb (skeleton and motion), .obj and .ply"
    )
    avatar.add_argument("--method", default="", help=METHOD_HELP)
    avatar.add_argument("--no-texture", action="store_true", help="vertex colours instead of a texture")
    avatar.add_argument("--size", type=int, default=1024, help="side of the texture, pixels")
    avatar.set_defaults(act=_export_avatar)
    frames = kinds.add_parser(
        "frames", help="the avatar of every frame: meshes, .npy, pictures of shape, colours, normals, IoU"
    )
    frames.add_argument("--method", default="", help=METHOD_HELP)
    frames.add_argument(
        "--meshes",
        choices=("ply", "obj", "none"),
        default="ply",
        help="kind of the mesh files (some MB a frame)",
    )
    frames.add_argument("--photo", action="store_true", help="draw over the film instead of on white")
    frames.set_defaults(act=_export_frames)
    garments = kinds.add_parser(
        "garments", help="the avatar's garments: open meshes, feature curves, sewing patterns in millimetres"
    )
    garments.add_argument("--method", default="", help=METHOD_HELP)
    garments.add_argument(
        "--on", metavar="CLIP", type=Path, help="put them on the person of another clip (dressed.glb)"
    )
    garments.add_argument(
        "--frames", action="store_true", help="also a coloured .obj of every garment in every frame"
    )
    garments.add_argument(
        "--fixed", action="store_true", help="also each garment by vertices that are the same on everybody"
    )
    garments.set_defaults(act=_export_garments)
    for kind, target, what in (
        (zju, "ROOT", "new folder to write"),
        (bvh, "FILE", ".bvh file to write"),
        (selfrecon, "DIR", "new folder to write"),
        (recmv, "DIR", "new folder to write"),
        (pamir, "DIR", "new folder to write"),
        (avatar, "FOLDER", "folder to write"),
        (frames, "FOLDER", "new folder to write"),
        (garments, "FOLDER", "new folder to write"),
    ):
        kind.add_argument("clip", metavar="CLIP", type=Path, help="clip folder")
        kind.add_argument("target", metavar=target, type=Path, help=what)


def _import_zju(args: argparse.Namespace) -> int:
    from hvr_nb.formats.datasets.zju_mocap import read_zju

    return _made(read_zju(args.source, _new(args.clip), camera=args.camera, fps=args.fps, **_taken(args)))


def _import_people_snapshot(args: argparse.Namespace) -> int:
    from hvr_nb.formats.datasets.people_snapshot import read_people_snapshot

    return _made(read_people_snapshot(args.source, _new(args.clip), **_taken(args)))


def _import_selfrecon(args: argparse.Namespace) -> int:
    from hvr_nb.evaluate.inputs import check_inputs
    from hvr_nb.formats.datasets import read_recmv, read_selfrecon
    from hvr_nb.store.files import write_image

    read = {"selfrecon": read_selfrecon, "recmv": read_recmv}[args.layout]
    clip = read(args.source, _new(args.clip), fps=args.fps, **_taken(args))
    check = check_inputs(clip)
    write_image(clip.folder / "inputs.png", check.picture)
    print(f"{check}\nmasks against the body: {clip.folder / 'inputs.png'}")
    return _made(clip)


def _import_pamir(args: argparse.Namespace) -> int:
    from hvr_nb.formats.datasets.pamir_pictures import read_pamir_pictures

    clip = read_pamir_pictures(args.source, _new(args.clip), fps=args.fps)
    if clip.has("body"):
        return _made(clip)
    missing = "03" if clip.has("keypoints") else "01"
    print(
        f"{clip}\nnext: python -m hvr_nb run {clip.folder / 'frames'} --clip {clip.folder} --from {missing}"
    )
    return 0


def _taken(args: argparse.Namespace) -> dict[str, int]:
    """The options that every import has: which frames, and their largest side."""
    return {name: getattr(args, name) for name in ("start", "stop", "stride", "max_side")}


def _export_zju(args: argparse.Namespace) -> int:
    from hvr_nb.formats.datasets.zju_export import write_zju
    from hvr_nb.store.clip import Clip

    print(write_zju(Clip.open(args.clip), args.target, grids=not args.no_grids))
    return 0


def _export_selfrecon(args: argparse.Namespace) -> int:
    from hvr_nb.formats.datasets.selfrecon_export import write_selfrecon
    from hvr_nb.store.clip import Clip

    print(write_selfrecon(Clip.open(args.clip), args.target))
    return 0


def _export_recmv(args: argparse.Namespace) -> int:
    from hvr_nb.formats.datasets.recmv_export import write_recmv
    from hvr_nb.store.clip import Clip

    print(write_recmv(Clip.open(args.clip), args.target, garments=args.garments, weights=args.weights))
    return 0


def _export_pamir(args: argparse.Namespace) -> int:
    from hvr_nb.export.pamir_folder import write_pamir_pictures
    from hvr_nb.store.clip import Clip

    clip = Clip.open(args.clip)
    made = (clip.avatar_folder("pamir") / "options.json").is_file()
    print(write_pamir_pictures(clip, args.target, avatar=clip.avatar("pamir") if made else None))
    return 0


def _export_bvh(args: argparse.Namespace) -> int:
    from hvr_nb.body.model import load_body_model
    from hvr_nb.formats.motion.bvh import write_bvh
    from hvr_nb.store.clip import Clip

    clip = Clip.open(args.clip)
    clip.require("body")
    if args.target.exists():
        raise HvrError(f"{args.target} exists; give another name")
    print(write_bvh(args.target, clip.body, load_body_model(), clip.fps, times=clip.times))
    return 0


def _export_avatar(args: argparse.Namespace) -> int:
    from hvr_nb.export.avatar import avatar_texture, export_avatar, exported_files
    from hvr_nb.store.atomic_files import refuse_foreign
    from hvr_nb.store.clip import Clip

    clip = Clip.open(args.clip)
    if not 16 <= args.size <= 8192:
        raise HvrError(f"--size is {args.size}; choose a texture of 16 to 8192 pixels")
    refuse_foreign(args.target, exported_files(args.target))  # before the work, not after it
    avatar = clip.avatar(_method(clip, args.method, "surface", "skin_weights"))
    texture = None if args.no_texture else avatar_texture(avatar, clip.frames, clip.masks, size=args.size)
    print(export_avatar(avatar, args.target, fps=clip.fps, times=clip.times, texture=texture))
    return 0


def _export_garments(args: argparse.Namespace) -> int:
    from hvr_nb.export.garments import export_garments
    from hvr_nb.store.atomic_files import refuse_foreign
    from hvr_nb.store.clip import Clip

    clip, other = Clip.open(args.clip), None if args.on is None else Clip.open(args.on)
    refuse_foreign(args.target, set())  # before the work, not after it
    avatar = clip.avatar(_method(clip, args.method, "garments"))
    worn = {}
    if other is not None:
        other.require("body", "canonical")
        worn = dict(wearer=other.canonical, motion=other.body, fps=other.fps, times=other.times)
    print(export_garments(avatar, args.target, **worn, each_frame=args.frames, fixed=args.fixed))
    return 0


def _method(clip, chosen: str, *words: str) -> str:
    """The chosen method, or the one whose finished avatar the clip has and whose ``GIVES`` has the words."""
    from hvr_nb.methods import method, method_names

    if chosen:
        return chosen
    there = [name for name in method_names() if (clip.avatar_folder(name) / "options.json").is_file()]
    there = [name for name in there if method(name).GIVES.issuperset(words)]
    if not there:
        raise HvrError(
            f"{clip.folder} has no finished avatar that gives {' and '.join(words)}; run 05_train first"
        )
    if len(there) > 1:
        raise HvrError(
            f"{clip.folder} has finished avatars of {' and '.join(there)}; choose one with --method"
        )
    return there[0]


def _export_frames(args: argparse.Namespace) -> int:
    from hvr_nb.export.frames import export_frames
    from hvr_nb.store.atomic_files import refuse_foreign
    from hvr_nb.store.clip import Clip

    clip = Clip.open(args.clip)
    refuse_foreign(args.target, set())  # before the work, not after it
    print(
        export_frames(
            clip.avatar(_method(clip, args.method, "surface", "render")),
            args.target,
            frames=clip.frames,
            alpha=clip.masks.alpha,
            names=clip.frame_names,
            fps=clip.fps,
            times=clip.times,
            meshes=args.meshes,
            photo=args.photo,
        )
    )
    return 0


def _new(folder: Path) -> Path:
    """A clip folder that holds nothing yet: artefacts of another clip are not replaced."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HvrError(f"{folder} is not empty; give a new clip folder")
    return folder


def _made(clip) -> int:
    print(clip)
    print(f"next: python -m hvr_nb run {clip.folder / 'frames'} --clip {clip.folder} --from 04")
    return 0
