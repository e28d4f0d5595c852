"""Which input is wrong, and how: frames, masks, camera and body of a clip looked at together.

- ``InputCheck``: What ``check_inputs`` found.
- ``check_inputs``: Say which input of a clip is wrong and how.
- ``Finding``: A sentence about an input.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "check": ["InputCheck", "check_inputs"],
        "finding": ["Finding"],
    },
)
