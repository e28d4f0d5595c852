"""Cameras, meshes, z-buffer, nearest surface, rays and distances to an outline; knows nothing of people.

- ``project``: world points to pixels.
- ``choose_camera``: the best camera known: a file, a given focal length, the video's metadata, the default.
- ``undistort_images``: frames without lens distortion, and the camera that fits them.
- ``look_at``: a camera moved to one point and turned towards another.
- ``vertex_normals``: unit normals of the vertices of a mesh.
- ``rasterize``: the z-buffer of a mesh: face, barycentric coordinates and depth of every pixel.
- ``interpolate``: values of the vertices at the pixels of a z-buffer.
- ``nearest_surface``: the nearest point of a mesh for every query point.
- ``pixel_rays``: rays in the world through pixels.
- ``signed_distance``: distance in pixels to the outline of a mask, positive outside.
- ``smoothstep``: a smooth step from 0 to 1.
- ``geman_mcclure``: Geman and McClure's robust cost and its derivative.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "camera": ["project", "choose_camera", "undistort_images", "look_at"],
        "mesh": ["vertex_normals"],
        "raster": ["rasterize", "interpolate"],
        "nearest": ["nearest_surface"],
        "rays": ["pixel_rays"],
        "outline_distance": ["signed_distance"],
        "functions": ["smoothstep", "geman_mcclure"],
    },
)
