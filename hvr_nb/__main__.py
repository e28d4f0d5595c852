"""``python -m hvr_nb``: see ``hvr_nb.cli``."""

import sys

from hvr_nb.cli import main

sys.exit(main())
