"""The radiance field against Instant-NVR: time, memory, quality.

``reference*.py`` builds Instant-NVR's network and training step from the description in docs/field.md, 11,
alone, so that both can be timed on the same pictures in the same process.
"""

import hvr_nb  # noqa: F401  (before torch: it says how waiting threads behave)
