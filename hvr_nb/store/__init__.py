"""What lies on disk: files, the clip folder, videos, other programs' pickles, and where data and assets are.

- ``Clip``: the folder of one person in one video: opens, saves and checks every artefact.
- ``atomic``: a path to write to that takes its place when it is whole.
- ``read_image``: a PNG or JPEG as RGB or grey.
- ``write_image``: RGB or grey as PNG.
- ``read_video``: frames of a video file or of a folder of pictures.
- ``write_video``: frames as H.264.
- ``read_values``: what a pickle or an .npy file holds, read without running anything in it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "clip": ["Clip"],
        "atomic_files": ["atomic"],
        "files": ["read_image", "write_image"],
        "video": ["read_video", "write_video"],
        "safe_pickle": ["read_values"],
    },
)
