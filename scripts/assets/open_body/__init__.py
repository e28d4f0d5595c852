"""The recipe that makes ``hvr_nb/assets/open_body.npz`` from CC0 data (specs/body.md 2)."""
