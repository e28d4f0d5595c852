"""07: pages to keep and to share: a player and a report, each one HTML file that needs no network.

- ``clip_report``: Write ``report.html`` of a clip from what its stages left there.
- ``clip_gallery``: Write ``gallery.html`` of a clip: the avatar's mesh of every frame beside the frame.
- ``write_clips_page``: Write one page and one CSV over all clips of a folder.
- ``Section``: A part of a report.
- ``write_report``: Write a report as one HTML file with its pictures inside.
- ``write_player``: Write one offline HTML page that plays clips in step.
- ``frame_curves``: What goes wrong when: figures of every frame for the player.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "clip_page": ["clip_report"],
        "gallery": ["clip_gallery"],
        "many_clips": ["write_clips_page"],
        "pages": ["Section", "write_report"],
        "player": ["write_player", "frame_curves"],
    },
)
