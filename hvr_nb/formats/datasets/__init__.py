"""Whole folders of data sets and other systems: ZJU-MoCap, People-Snapshot, EasyMocap, SelfRecon.

- ``read_zju``: Import one camera of a root as a clip with frames, camera, masks and body: ready for
  04_canonical.
- ``write_zju``: Export frames, camera, masks and body of a clip as an instant-nvr root.
- ``read_people_snapshot``: Import a sequence as a clip with frames, camera, keypoints, masks and
  body: ready for 04_canonical.
- ``read_selfrecon``: Import a data folder as a clip with frames, camera, masks and body: ready for
  04_canonical.
- ``write_selfrecon``: Export a clip as a data folder that SelfRecon reads.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "zju_mocap": ["read_zju"],
        "zju_export": ["write_zju"],
        "people_snapshot": ["read_people_snapshot"],
        "selfrecon_folder": ["read_selfrecon"],
        "selfrecon_export": ["write_selfrecon"],
    },
)
