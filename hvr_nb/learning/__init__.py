"""The training loop, losses and LPIPS, for everything that is trained.

- ``train``: runs training steps with logging and checkpoints; a killed run can be resumed.
- ``Progress``: where a reconstruction stands that is running.
- ``save_checkpoint``: writes the state of a training.
- ``load_checkpoint``: reads the state of a training.
- ``read_torch``: the dictionary in another program's torch file, nothing in it executed.
- ``write_tensors``: writes a network as npz with a few facts.
- ``read_tensors``: reads it.
- ``lpips_missing``: why LPIPS cannot be measured here, and what would help.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "loop": ["train", "save_checkpoint", "load_checkpoint"],
        "lpips": ["lpips_missing"],
        "progress": ["Progress"],
        "tensor_files": ["read_torch", "write_tensors", "read_tensors"],
    },
)
