"""Figures of pictures, poses and surfaces.

- ``image_quality``: PSNR and SSIM on the whole picture, on the body's box and on body pixels only.
- ``psnr``: Peak signal to noise ratio in dB; inf for equal pictures.
- ``iou``: Intersection over union of silhouettes.
- ``mpjpe``: Mean per-joint position error in millimetres, of joints (T, J, 3) in metres.
- ``pa_mpjpe``: MPJPE in millimetres after the best similarity of every frame.
- ``surface_quality``: Compare the outer faces of two meshes in the same place.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "images": ["image_quality", "psnr", "iou", "mpjpe", "pa_mpjpe"],
        "surfaces": ["surface_quality"],
    },
)
