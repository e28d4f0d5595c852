"""01: frames to 2D joints: the detector, tracks, test-time augmentation merged, who is who.

- ``detect_keypoints``: The 2D joints of one person through a video.
- ``detect_people``: The 2D joints of everybody in a video, each over the whole clip with its own
  ``found``.
- ``follow_person``: As ``detect_keypoints``, for frames (T, H, W, 3), and where everybody was that
  was followed.
- ``first_complete``: Which person to follow where nobody was chosen: the first that is seen whole,
  the largest of several.
- ``person_at``: The person whose box holds a ``pixel`` (x, y) of a frame, the smallest of several:
  a chosen one.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "follow": ["detect_keypoints", "detect_people", "follow_person"],
        "identity": ["first_complete", "person_at"],
    },
)
