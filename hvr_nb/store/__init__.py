"""What lies on disk: files, the clip folder, videos, other programs' pickles, and where data and assets are.

- ``Clip``: One person in one video.
- ``read_image``: Read a PNG or JPEG as RGB (H, W, 3) or grey (H, W) uint8 (uint16 where the file
  has 16 bits).
- ``write_image``: Write RGB (H, W, 3) or grey (H, W) uint8 or uint16 as PNG, atomically.
- ``atomic``: Yield a temporary path beside ``path`` and move it into place when the block succeeds.
- ``read_video``: Read frames ``start:stop:stride`` of a video file or of a folder of pictures.
- ``write_video``: Write frames as H.264 (yuv420p), atomically.
- ``read_values``: What a pickle, or an .npy file with a pickle in it, holds: dictionaries, lists,
  numbers, text, arrays.
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
