"""Bodies that other systems fitted.

- ``read_body``: Read a body that another system fitted to the clip's film.
- ``body_skeleton``: The body's 17 joints of Human3.6M: the start of a fit (``fit_body(..., lifted=)``).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "read": ["read_body", "body_skeleton"],
    },
)
