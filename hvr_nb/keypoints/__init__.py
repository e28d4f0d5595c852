"""01: frames to 2D joints: detector, tracks, test-time augmentation, identities (docs/perception.md, 1 to 4).

- ``detect_keypoints``: the 2D joints of one person in all frames.
- ``detect_people``: the 2D joints of all people in all frames.
- ``follow_person``: the same as ``detect_keypoints``, with the boxes of all people.
- ``follow_people``: everybody's track through all frames.
- ``boxes_of_people``: who is where when, of such tracks.
- ``first_complete``: the first person who is completely visible, the default choice.
- ``person_at``: the person at a pixel of a frame.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "follow": ["boxes_of_people", "detect_keypoints", "detect_people", "follow_person"],
        "identity": ["first_complete", "person_at"],
        "tracking": ["follow_people"],
    },
)
