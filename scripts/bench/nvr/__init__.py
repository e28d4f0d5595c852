"""What ``scripts/bench/nvr/`` and ``scripts/bench/nvr_scaling.py`` are made of.

``reference*.py`` builds Instant-NVR's network and training step again from the description in
specs/nvr.md alone, so that both can be timed on the same pictures in the same process.
"""

import hvr_nb  # noqa: F401  (before torch: it says how waiting threads behave)
