"""Metrics of pictures, poses and surfaces, and the table that names and judges them.

- ``image_quality``: PSNR and SSIM of the whole picture, of the body's box and of body pixels.
- ``psnr``: peak signal-to-noise ratio.
- ``iou``: intersection over union of silhouettes.
- ``mpjpe``: mean per-joint position error.
- ``pa_mpjpe``: MPJPE after the best similarity of every frame.
- ``surface_quality``: Chamfer distance and angle of normals between the outer faces of two meshes.
- ``judged_table``: measured numbers with unit, meaning and a verdict.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "images": ["image_quality", "psnr", "iou", "mpjpe", "pa_mpjpe"],
        "quantities": ["judged_table"],
        "surfaces": ["surface_quality"],
    },
)
