"""Which outfits a network learns from, and which it never sees before it is measured."""

from hvr_nb.subject import OUTFITS

UNSEEN = tuple(name for name in ("jacket", "tube") if name in OUTFITS)
LEARNED = tuple(name for name in OUTFITS if name not in UNSEEN)
