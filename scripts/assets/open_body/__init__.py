"""The recipe that makes ``hvr_nb/assets/open_body.npz`` from CC0 data (docs/body.md, 6)."""
