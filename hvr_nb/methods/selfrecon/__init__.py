"""A clothed-body mesh of constant topology from a video in which the person turns, in a minute or two.

The task of Jiang et al., "SelfRecon: Self Reconstruction Your Digital Avatar from Monocular Video", CVPR
2022, by other means: no networks and no volume rendering, but a template of body and loose clothes, sparse
least squares on the silhouettes of all frames, and robust colours (docs/surface.md, 1).
"""

from __future__ import annotations

from hvr_nb.learning.progress import Watch
from hvr_nb.methods._clothed import shape_clothed
from hvr_nb.methods.selfrecon.avatar import MeshAvatar, load
from hvr_nb.surface.clothed.options import ShapeOptions as Options

NEEDS = ("frames", "masks", "body")
GIVES = MeshAvatar.GIVES

__all__ = ["GIVES", "NEEDS", "Options", "load", "reconstruct"]


def reconstruct(
    clip,
    options: Options | None = None,
    *,
    device: str = "auto",
    seed: int = 0,
    progress: Watch | None = None,
) -> MeshAvatar:
    """Shape the surface of a clip's person and save it into ``<clip>/avatars/selfrecon``.

    A run that was stopped continues after its last finished round and ends with the same avatar.

    Args:
        options: None takes all defaults.
        device, seed: taken as by every method; all runs on the CPU and nothing is drawn at random.
        progress: told of every round; where it answers True, the avatar so far is returned, not saved.

    Raises:
        HvrError: a stage before is missing, or the model is not the one the body was fitted with.
    """
    options = options or Options()
    clip.require(*NEEDS)
    checkpoint = clip.avatar_folder("selfrecon") / "checkpoint.pt"
    made = shape_clothed(clip, options, checkpoint=checkpoint, seed=seed, progress=progress)
    avatar = MeshAvatar(
        made.surface,
        made.fit.canonical,
        made.body,
        made.fit.model,
        made.held_out,
        made.history,
        made.call,
        options.model_file,
    )
    if made.complete:
        clip.save_avatar("selfrecon", avatar, made_from=(*NEEDS, "canonical", "normals"))
        checkpoint.unlink(missing_ok=True)
    return avatar
