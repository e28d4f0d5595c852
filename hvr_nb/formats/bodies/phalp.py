"""4D-Humans, TokenHMR and PHALP (`results/<name>.pkl`): a dictionary of frames, each with lists of tracks."""

from __future__ import annotations

import numpy as np

from hvr_nb.formats.bodies.people import FoundPerson, person

_FOCAL = 5000.0 / 256.0  # times the larger side of the picture, which is padded to a square


def is_phalp(content) -> bool:
    """Whether the content of a file is PHALP's result."""
    frames = list(content.values()) if isinstance(content, dict) else []
    return bool(frames) and all(isinstance(f, dict) and {"tid", "smpl", "camera"} <= f.keys() for f in frames)


def read_phalp(content: dict, film: dict) -> tuple[str, list[FoundPerson]]:
    """The system's name and its people. Tracks that were not seen in a frame are left out of it."""
    rows: dict[int, list[tuple]] = {}
    size = (1, 1)
    for index, frame in enumerate(content.values()):
        number = int(frame.get("time", index))
        unseen = frame.get("tracked_time", [0] * len(frame["tid"]))
        for k, track in enumerate(frame["tid"]):
            if int(unseen[k]) > 0:
                continue
            body = frame["smpl"][k]
            if "size" in frame:
                size = tuple(int(v) for v in np.ravel(frame["size"][k])[::-1])  # they write height, width
            pose = np.concatenate(
                [np.reshape(body[key], (-1, 3, 3)) for key in ("global_orient", "body_pose")]
            )
            camera, betas = np.ravel(frame["camera"][k])[-3:], np.ravel(body["betas"])
            rows.setdefault(int(track), []).append((number, pose, camera, betas))
    lens = dict(focal=_FOCAL * max(size), size=size) if max(size) > 1 else dict(focal_share=_FOCAL)
    columns = [[np.array(column) for column in zip(*row, strict=True)] for row in rows.values()]
    return "4D-Humans (PHALP)", [person(*values, **lens) for values in columns]
