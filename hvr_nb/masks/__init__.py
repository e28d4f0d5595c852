"""02: silhouettes and labels (docs/perception.md, 5 to 7).

- ``segment_person``: soft silhouettes of the followed person, and foreground colours.
- ``parse_person``: labels of garments and body parts, without trained weights.
- ``parse_with_schp``: the same labels by a user's SCHP checkpoint.
- ``import_masks``: a user's masks: black and white, soft, or label pictures.
- ``person_masks``: the detector's own coarse silhouettes.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "silhouettes": ["segment_person"],
        "parsing": ["parse_person"],
        "schp": ["parse_with_schp"],
        "labels": ["import_masks"],
        "detector": ["person_masks"],
    },
)
