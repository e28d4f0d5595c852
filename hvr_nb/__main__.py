"""``python -m hvr_nb``: see ``hvr_nb.cli.main``."""

import sys

from hvr_nb.cli.main import main

sys.exit(main())
