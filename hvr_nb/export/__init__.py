"""What leaves: the avatar, its garments and frames, people as skeletons, a pose video.

- ``export_avatar``: Write an avatar as mesh, texture, skeleton and motion for other programs.
- ``avatar_texture``: The texture of an avatar from its clip.
- ``export_garments``: Write garments as open meshes, curves and sewing patterns, also on another body.
- ``dress_another``: A body of another shape in an avatar's garments.
- ``export_frames``: Write an avatar frame by frame: meshes, pictures, silhouettes' IoU.
- ``write_people``: Write each person's files and the side-by-side video into a new folder.
- ``write_pose_video``: Write frames with their 2D joints beside the 3D joints as a video.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "avatar": ["export_avatar", "avatar_texture"],
        "frames": ["export_frames"],
        "garments": ["export_garments", "dress_another"],
        "people": ["write_people"],
        "pose_video": ["write_pose_video"],
    },
)
