"""Other systems: ZJU-MoCap, People-Snapshot, EasyMocap, SelfRecon, REC-MV, PaMIR (docs/formats.md).

- ``read_zju``: one camera of a ZJU-MoCap, MonoCap or Instant-NVR root as a clip.
- ``write_zju``: a clip as an Instant-NVR root.
- ``read_people_snapshot``: a People-Snapshot sequence as a clip.
- ``read_selfrecon``: a SelfRecon or REC-MV data folder as a clip.
- ``write_selfrecon``: a clip as a SelfRecon data folder.
- ``read_pamir_pictures``: PaMIR's folder of pictures to reconstruct as a clip.
- ``pamir_items``: the names of the items in a folder of PaMIR's training data.
- ``read_pamir_item``: one of them: pictures, points with their occupancy, the fitted body.
- ``write_pamir_item``: writes one.
- ``read_recmv``: a REC-MV data folder as a clip, with its lines of garments.
- ``write_recmv``: a clip as a REC-MV data folder.
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
        "pamir_pictures": ["read_pamir_pictures"],
        "pamir_folder": ["pamir_items", "read_pamir_item", "write_pamir_item"],
        "recmv_folder": ["read_recmv"],
        "recmv_export": ["write_recmv"],
    },
)
