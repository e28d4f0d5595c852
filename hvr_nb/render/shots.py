"""The pictures that notebook 06 makes of an avatar: training views, turntable, novel poses."""

from __future__ import annotations

from pathlib import Path

from hvr_nb.body.model import posed
from hvr_nb.methods import Avatar
from hvr_nb.render.cameras import portrait, turntable, whole_frame
from hvr_nb.render.pictures import Pictures, render_pictures
from hvr_nb.render.posing import novel_poses
from hvr_nb.store.clip import Clip
from hvr_nb.types import Body

FPS = 15.0  # of turntables and novel poses, frames per second


def render_frames(clip: Clip, avatar: Avatar, folder: str | Path) -> Pictures:
    """The training views: every frame of the clip, rendered where it was filmed, in ``<folder>/frames``."""
    body = avatar.body
    return render_pictures(
        avatar,
        body,
        body.camera,
        Path(folder) / "frames",
        names=clip.frame_names,
        frames=range(len(body)),
        fps=clip.fps,
        times=clip.times,
    )


def shown_frame(avatar: Avatar) -> tuple[int, Body]:
    """The first frame that shows the whole person, and the body in it."""
    body = avatar.body
    start = whole_frame(body, posed(avatar.model, body)[1])
    return start, body.frame(start)


def render_turntable(avatar: Avatar, folder: str | Path, *, views: int) -> Pictures:
    """``views`` pictures around the person's axis, posed as in ``shown_frame``, in ``<folder>/turntable``."""
    joints = posed(avatar.model, avatar.body)[1]
    start, body = shown_frame(avatar)
    cameras = turntable(portrait(body.camera, joints[start]), joints, views=views, frame=start)
    return render_pictures(avatar, body, cameras, Path(folder) / "turntable", names=_numbers(views), fps=FPS)


def render_motion(
    avatar: Avatar, folder: str | Path, *, motion_file: str | Path = "", up: str = "", frames: int
) -> Pictures:
    """At most ``frames`` poses that were not filmed (``novel_poses``), in ``<folder>/novel_poses``."""
    motion = novel_poses(shown_frame(avatar)[1], motion_file, frames=frames, fps=FPS, up=up)
    camera = portrait(motion.camera, posed(avatar.model, motion)[1])
    return render_pictures(
        avatar, motion, camera, Path(folder) / "novel_poses", names=_numbers(len(motion)), fps=FPS
    )


def _numbers(count: int) -> list[str]:
    return [f"{k:04d}" for k in range(count)]
