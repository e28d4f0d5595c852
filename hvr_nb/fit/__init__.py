"""03: SMPL of a whole clip by Gauss-Newton.

- ``fit_body``: Fit one SMPL body to a clip.
- ``fit_report``: What a fit explains of what was seen, as plain numbers.
- ``level_body``: The same body and camera in a world whose Y axis is up.
- ``landmark_skeleton``: The detector's 33 world landmarks put into the scene: a skeleton without a
  body model.
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
