"""2D joints of other programs (docs/formats.md, 4 and 5).

- ``read_keypoints``: the 2D joints of one person from any known file or folder.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "keypoints": ["read_keypoints"],
    },
)
