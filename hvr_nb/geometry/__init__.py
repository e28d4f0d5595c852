"""Cameras, meshes, a z-buffer, nearest surface, rays and distances to an outline; knows no person.

- ``project``: World points (..., 3), metres, to pixels (..., 2), inf or NaN in the camera's plane.
- ``choose_camera``: The best camera known: a file, a given focal, the video's metadata, or the
  default.
- ``undistort_images``: Undistort frames (T, H, W, 3) uint8 with ``camera.dist``; the camera comes
  back with none.
- ``look_at``: The camera ``like`` moved to ``eye`` (3,) and turned to ``target`` (3,), world
  metres.
- ``save_mesh``: Write ``mesh`` as .ply, .obj or .glb.
- ``vertex_normals``: Unit vertex normals (V, 3), the area-weighted mean of the faces around each
  vertex.
- ``rasterize``: Z-buffer of a world mesh (V, 3), (F, 3) seen by ``camera``; see
  ``rasterize_pixels``.
- ``interpolate``: Vertex values (V, C) carried to the pixels of a z-buffer: (H, W, C), zero where
  empty.
- ``nearest_surface``: The nearest point of a mesh for every query point.
- ``pixel_rays``: World rays through pixels.
- ``signed_distance``: Pixels to the edge of a mask (H, W) uint8 at half coverage, positive outside:
  (H, W) float16.
- ``smoothstep``: (...,) values 0..1 of x (...,): 0 below ``low``, 1 above ``high``, no corner
  between.
- ``geman_mcclure``: Robust cost of squared residuals (...) in sigmas, at most ``cap ** 2``, and its
  derivative (...).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "camera": ["project", "choose_camera", "undistort_images", "look_at"],
        "mesh": ["save_mesh", "vertex_normals"],
        "raster": ["rasterize", "interpolate"],
        "nearest": ["nearest_surface"],
        "rays": ["pixel_rays"],
        "outline_distance": ["signed_distance"],
        "functions": ["smoothstep", "geman_mcclure"],
    },
)
