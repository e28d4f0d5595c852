"""03: SMPL of a whole clip by Gauss-Newton (docs/fit.md).

- ``fit_body``: fits one SMPL body to all frames of a clip.
- ``fit_report``: how well a body explains landmarks and masks, in numbers.
- ``level_body``: a body and its camera in a world whose Y axis is up.
- ``landmark_skeleton``: the detector's 33 landmarks placed in the world, without a body model.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "solve": ["fit_body", "fit_report"],
        "level": ["level_body"],
        "start": ["landmark_skeleton"],
    },
)
