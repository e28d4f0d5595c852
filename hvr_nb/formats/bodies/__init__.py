"""Bodies that other systems fitted to the film of a clip.

- ``read_body``: the body of one person from the result file of another system.
- ``body_skeleton``: its Human3.6M joints, with which a fit can start (``fit_body(..., lifted=)``).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "read": ["read_body", "body_skeleton"],
    },
)
