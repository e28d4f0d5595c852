"""2D joints of other programs.

- ``read_keypoints``: Read 2D joints of one person from what another program wrote.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "keypoints": ["read_keypoints"],
    },
)
