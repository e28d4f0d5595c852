"""Garments as open meshes with their feature curves, from a video in which the person turns, without clicks.

The task of Qiu et al., "REC-MV: REconstructing 3D Dynamic Cloth from Monocular Videos", CVPR 2023, by other
means: no networks and no templates. The labels of all frames are voted onto the clothed surface, and the
garments are cut out of it along curves that the frames' contours hold (docs/surface.md, 14).
"""

from __future__ import annotations

from hvr_nb.learning.progress import Watch
from hvr_nb.methods._clothed import READS, shape_clothed
from hvr_nb.methods.recmv.avatar import GarmentAvatar, load
from hvr_nb.methods.recmv.fit import label_pictures, tailored
from hvr_nb.methods.recmv.follow import followed, load_worn
from hvr_nb.methods.recmv.lines import drawn_lines
from hvr_nb.methods.recmv.options import Options
from hvr_nb.surface.clothed.fit import ROUNDS
from hvr_nb.surface.clothed.options import ShapeOptions
from hvr_nb.surface.garments.kinds import garment_names
from hvr_nb.threads import one_thread
from hvr_nb.types import HvrError

NEEDS = ("frames", "masks", "body")
GIVES = GarmentAvatar.GIVES

__all__ = ["GIVES", "NEEDS", "Options", "load", "reconstruct"]


def reconstruct(
    clip,
    options: Options | None = None,
    *,
    device: str = "auto",
    seed: int = 0,
    progress: Watch | None = None,
) -> GarmentAvatar:
    """Cut the garments of a clip's person and save them into ``<clip>/avatars/recmv``.

    Lines of REC-MV's ``mask2fl`` in the clip's folder hold the borders they are drawn along.
    A run that was stopped continues after the last finished round of the surface and ends with the same
    avatar. What cannot be told is said by warnings. With ``options.garments_from`` the garments of another
    clip of the same person keep their shape, and only their motion is fitted.

    Args:
        options: None takes all defaults.
        device, seed: taken as by every method; all runs on the CPU and nothing is drawn at random.
        progress: told of every round of the surface; where it answers True the run stops.

    Raises:
        HvrError: a stage before is missing, the masks have no labels or labels of another size, or a garment
            that ``options.garments`` names is not there; ``options.garments_from`` has no garments or
            another body model; or ``progress`` has stopped the run.
    """
    options = options or Options()
    clip.require(*NEEDS)
    if options.garments_from:
        avatar = followed(clip, load_worn(options.garments_from), options, progress=progress)
        clip.save_avatar("recmv", avatar, made_from=READS)
        return avatar
    names = garment_names(options.garments)
    masks = clip.masks
    if masks.labels is None:
        raise HvrError("masks/ has no labels of garments; run 02_masks with labels (parser other than none)")
    if masks.labels.shape != masks.alpha.shape:
        raise HvrError(
            f"the labels are {masks.labels.shape[2]}x{masks.labels.shape[1]} in {len(masks.labels)} frames, "
            f"the masks {masks.alpha.shape[2]}x{masks.alpha.shape[1]} in {len(masks.alpha)}; run 02_masks "
            "again"
        )
    checkpoint = clip.avatar_folder("recmv") / "checkpoint.pt"
    shape = ShapeOptions(
        image_scale=options.image_scale,
        hold_out=options.hold_out,
        refine_pose=options.refine_pose,
        model_file=options.model_file,
        cell=options.cell,
        motion=options.motion,
        layers=False,
        shading=0.0,
    )
    made = shape_clothed(clip, shape, checkpoint=checkpoint, seed=seed, progress=progress)
    if not made.complete:
        done = made.history["step"][-1]
        raise HvrError(
            f"recmv was stopped after {done} of {ROUNDS} rounds, which are kept; run it again to go on"
        )
    with one_thread():
        film = made.fit.film
        pictures = label_pictures(masks, film, made.body.camera)
        drawn = drawn_lines(clip, film.which, made.body.camera, film.camera)
        own = masks.parsing_source.startswith("colour model")
        avatar = tailored(made, pictures, names, options, drawn, by_colour=own)
    clip.save_avatar("recmv", avatar, made_from=READS)
    checkpoint.unlink(missing_ok=True)
    return avatar
