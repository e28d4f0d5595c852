"""02: silhouettes and labels.

- ``segment_person``: Soft silhouettes of the followed person and colours free of background at
  their edges.
- ``parse_person``: Label every pixel of the person by garment and body part, without any trained
  weights.
- ``parse_with_schp``: Label the person's pixels with the user's SCHP checkpoint.
- ``import_masks``: Read a user's masks: black and white, soft, or label pictures (palette, palette
  colours, numbers).
- ``person_masks``: The network's own silhouettes of the followed person, plain and mirrored looks
  averaged.
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
