"""The one training loop, losses and LPIPS: for anything that is trained.

- ``train``: Run ``step`` for steps 0..iters-1.
- ``save_checkpoint``: Write the whole state after ``step`` steps, atomically.
- ``load_checkpoint``: Put a checkpoint's content into ``state``; the step it stands at and the
  history so far.
- ``lpips_missing``: Why there is no LPIPS here and what would help.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "loop": ["train", "save_checkpoint", "load_checkpoint"],
        "lpips": ["lpips_missing"],
    },
)
