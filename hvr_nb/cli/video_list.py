"""A list of videos (CSV or TOML): where each lies, what its clip is called, and any parameter of it.

A CSV has the columns ``path``, perhaps ``clip``, and parameters (``stride`` or ``05_train.iters``); an empty
cell is not given. A TOML has a table ``[[video]]`` with the same keys a video. Paths are relative to the
list. It is checked whole, so that nothing runs before all of it is right.
"""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hvr_nb.batch.parameters import known
from hvr_nb.batch.videos import missing_videos
from hvr_nb.cli.overrides import overrides
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.inside import is_plain
from hvr_nb.types import HvrError

LISTS = (".csv", ".toml")
PATH, CLIP = "path", "clip"
MADE = "# written by hvr_nb batch, which writes it anew: rename it to keep it"
MAX_LIST = 64 << 20  # bytes
MOST_SAID = 20  # faults in one message


@dataclass(frozen=True)
class ListedVideo:
    """One video of a batch."""

    video: Path
    clip: str = ""  # its name; "": after the video
    given: dict[str, dict[str, object]] = field(default_factory=dict)  # parameters by stage


def read_video_list(path: str | Path, notebooks_dir: Path) -> list[ListedVideo]:
    """The videos of a list.

    Raises:
        HvrError: it cannot be read, or rows of it are wrong: each is named with what is wrong.
    """
    path = Path(path)
    faults: list[str] = []
    found: list[ListedVideo] = []
    clips: dict[str, int] = {}  # name -> its row
    checked: dict[str, dict] = {}  # parameters as they are written -> by stage
    for row, values in _rows(path):
        try:
            found.append(_video(values, path.absolute().parent, notebooks_dir, checked))
            clip = found[-1].clip or found[-1].video.stem
            if clips.setdefault(clip, row) != row:
                raise HvrError(f"the clip {clip!r} is that of row {clips[clip]}; give it another name")
        except HvrError as error:
            faults.append(f"row {row}: {error}")
    if not found and not faults:
        raise HvrError(f"{path} lists no videos; give each a line with its path")
    if faults:
        more = f"\n... and {len(faults) - MOST_SAID} more" if len(faults) > MOST_SAID else ""
        text = "\n".join(faults[:MOST_SAID])
        raise HvrError(f"{path}: {len(faults)} rows are wrong, nothing was run\n{text}{more}")
    return found


def _rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Number and values by name of each row; in a CSV as a text editor counts lines."""
    try:
        if path.stat().st_size > MAX_LIST:
            raise HvrError(f"{path} is larger than {MAX_LIST >> 20} MiB; is it a list of videos?")
        text = path.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text) if path.suffix.lower() == ".toml" else None
    except (OSError, ValueError, RecursionError) as error:
        raise HvrError(f"{path} cannot be read as a list of videos ({error})") from error
    yield from _csv_rows(path, text) if content is None else _toml_rows(path, content)


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, object]]]:
    lines = csv.reader(io.StringIO(text), skipinitialspace=True, strict=True)
    names: list[str] = []
    try:
        for values in lines:
            cells = [value.strip() for value in values]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if not names:
                names = cells
                if PATH not in names or len(set(names)) < len(names):
                    raise HvrError(
                        f"{path}: its first line must name the columns, each once, and one is {PATH!r}"
                    )
                continue
            if len(cells) > len(names) and any(cells[len(names) :]):
                extra = f'{len(cells)} cells for {len(names)} columns; put " around what holds a comma'
                yield lines.line_num, {"": extra}
                continue
            yield lines.line_num, {k: v for k, v in zip(names, cells, strict=False) if v}
    except csv.Error as error:
        raise HvrError(f"{path}, line {lines.line_num}: {error}") from error


def _toml_rows(path: Path, content: dict) -> Iterator[tuple[int, dict[str, object]]]:
    tables = content.get("video")
    if (
        set(content) != {"video"}
        or not isinstance(tables, list)
        or not all(isinstance(t, dict) for t in tables)
    ):
        raise HvrError(f"{path}: it must hold a table [[video]] for each video and nothing else")
    for row, table in enumerate(tables, 1):
        flat = {}
        for key, value in table.items():
            inner = value.items() if isinstance(value, dict) else ()
            flat |= {f"{key}.{name}": item for name, item in inner} if inner else {key: value}
        yield row, flat


def _video(values: dict[str, object], base: Path, notebooks_dir: Path, checked: dict) -> ListedVideo:
    values = dict(values)
    if "" in values:
        raise HvrError(str(values[""]))
    video, clip = values.pop(PATH, ""), values.pop(CLIP, "")
    if not isinstance(video, str) or not video:
        raise HvrError(f"it has no {PATH}; give the video's file")
    missing = missing_videos([base / video])
    if missing:
        raise HvrError(missing[0])
    if clip and not is_plain(clip):
        raise HvrError(f"{str(clip)[:80]!r} cannot be the name of a clip; use letters and numbers")
    key = repr(sorted(values.items()))
    if key not in checked:  # most rows have the parameters of others
        checked[key] = _parameters(values, base, notebooks_dir)
    return ListedVideo(base / video, str(clip), checked[key])


def _parameters(values: dict[str, object], base: Path, notebooks_dir: Path) -> dict[str, dict[str, object]]:
    for name in values:
        if name.rpartition(".")[2] in ("video", CLIP):
            known(name, {PATH: 0, CLIP: 0}, "no such column:")
    return overrides(list(values.items()), notebooks_dir, base=base)


def write_video_list(path: Path, videos: Sequence[ListedVideo]) -> Path | None:
    """Write a list that ``read_video_list`` reads, in place of one written so before; none where it is empty.

    Raises:
        HvrError: the file there was not written so.
    """
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(MADE):
        raise HvrError(f"{path} was not written by a batch; move it away")
    if not videos:
        path.unlink(missing_ok=True)
        return None
    flat = [
        {
            f"{stage}.{name}" if stage else name: value
            for stage, row in v.given.items()
            for name, value in row.items()
        }
        for v in videos
    ]
    names = sorted({name for row in flat for name in row})
    with atomic(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        file.write(MADE + "\n")
        table = csv.writer(file, lineterminator="\n")
        table.writerow([PATH, CLIP, *names])
        for video, row in zip(videos, flat, strict=True):
            table.writerow([video.video, video.clip, *[row.get(name, "") for name in names]])
    return path
