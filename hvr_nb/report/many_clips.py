"""One page and one CSV over all clips of a folder: failures first, columns to sort and filter, outliers."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import numpy as np

from hvr_nb.drawing.pictures import contact_sheet, over
from hvr_nb.metrics.quantities import BAD, Judged, judged, worst_verdict
from hvr_nb.report.pages import jpeg_data
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_image, results
from hvr_nb.store.markers import read_failures, read_marker
from hvr_nb.types import HvrError
from hvr_nb.viewing.templates import fill_template

PAGE, TABLE = "clips.html", "metrics.csv"
COLUMNS = ("frames", "found_pct", "iou_mean", "cross_view_iou", "heldout_body_psnr", "seen_pct", "took")
LAST = "06_render"  # the notebook whose numbers a finished clip has
FAR = 3.5  # modified z-scores from which a value is an outlier (Iglewicz and Hoaglin 1993)
LEAST = 5  # clips from which outliers are told
ORDER = ("failed", "unfinished", "doubtful", "done")
FIRST = ("clip", "status", "verdict", "failed_notebook", "error", "doubts")  # columns of the CSV
_PICTURE = 92  # pixels, height of a thumbnail


@dataclass(frozen=True)
class ClipRow:
    """One clip, or a video of which no clip was made."""

    name: str
    status: str  # one of ORDER
    numbers: Mapping[str, float] = field(default_factory=dict)  # "03_body.iou_mean" -> value
    doubts: Sequence[str] = ()
    notebook: str = ""  # the one that failed
    error: str = ""  # why, one line
    links: Mapping[str, str] = field(default_factory=dict)  # text -> path from the page
    picture: np.ndarray | None = None  # (H, W, 3) uint8
    outliers: frozenset[str] = frozenset()  # columns

    @property
    def verdict(self) -> str:
        """The worst verdict of its numbers; a failed clip is bad."""
        if self.status == "failed":
            return BAD
        return worst_verdict(
            judged(key.partition(".")[2], value).verdict for key, value in self.numbers.items()
        )

    def cell(self, column: str) -> Judged | None:
        """The value of a column, or None where it has none."""
        found = [value for key, value in self.numbers.items() if key.partition(".")[2] == column]
        return judged(column, found[0]) if found and np.isfinite(found[0]) else None


def write_clips_page(folder: str | Path, *, failed: Mapping[str, str] | None = None) -> Path:
    """Write ``clips.html`` and ``metrics.csv`` over all clips of a folder, however they were made.

    Args:
        folder: the folder of the clips. failed: videos of which no clip was made -> why.

    Returns:
        the page's path.

    Raises:
        HvrError: a file of that name is there that is not this project's.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    page, table = folder / PAGE, folder / TABLE
    _refuse_foreign(page, "<!doctype html>")
    _refuse_foreign(table, ",".join(FIRST))
    rows = [read_row(path.parent, folder) for path in sorted(folder.glob("*/clip.json"))]
    there = {row.name for row in rows}
    rows += [ClipRow(name, "failed", error=why) for name, why in (failed or {}).items() if name not in there]
    rows = with_outliers(sorted(rows, key=lambda row: (ORDER.index(row.status), row.name)))
    title = "1 clip" if len(rows) == 1 else f"{len(rows)} clips"
    text = fill_template(
        "clips.html",
        title=title,
        rows=rows,
        columns=[judged(c, np.nan) for c in COLUMNS],
        statuses=[s for s in ORDER if any(row.status == s for row in rows)],
        jpeg=jpeg_data,
        table=TABLE,
    )
    for path, content in ((page, text), (table, csv_text(rows))):
        with atomic(path) as partial:
            partial.write_text(content, encoding="utf-8")
    return page


def read_row(clip: Path, base: Path) -> ClipRow:
    """The row of a clip folder; a damaged one is a failed row with the reason."""
    try:
        return _row(Clip.open(clip), base)
    except HvrError as error:
        return ClipRow(clip.name, "failed", error=" ".join(str(error).split()))


def _row(clip: Clip, base: Path) -> ClipRow:
    runs, metrics = clip.folder / "runs", clip.metrics
    why = read_failures(runs)
    doubts = [f"{stage}: {text}" for stage, texts in clip.doubts.items() for text in texts]
    status = "failed" if why else "unfinished" if LAST not in metrics else "doubtful" if doubts else "done"
    numbers = {
        f"{stage}.{name}": float(value)
        for stage, row in metrics.items()
        for name, value in row.items()
        if isinstance(value, int | float)
    }
    took = [read_marker(path).seconds for path in results(runs, "*.done.json")]
    numbers |= {"runs.took": float(sum(took))} if took else {}
    pages = {name: clip.folder / f"{name}.html" for name in ("report", "player", "gallery")}
    notebook = min(why, default="")
    pages |= {f"notebook {notebook}": (runs / notebook).with_suffix(".html")} if why else {}
    # quoted: a folder called javascript:... would be a program
    links = {text: quote(path.relative_to(base).as_posix()) for text, path in pages.items() if path.exists()}
    return ClipRow(clip.name, status, numbers, doubts, notebook, why.get(notebook, ""), links, _picture(clip))


def _picture(clip: Clip) -> np.ndarray | None:
    """The middle frame, beside the avatar where it was rendered."""
    name = clip.frame_names[len(clip) // 2]
    made = sorted(clip.folder.glob(f"renders/*/frames/rgb/{name}.png"))
    try:
        tiles = [read_image(clip.folder / "frames" / f"{name}.png", remedy="run 00_video again")]
        for path in made[:1]:
            alpha = read_image(path.parents[1] / "alpha" / path.name, remedy="run 06_render again")
            tiles.append(over(read_image(path, remedy="run 06_render again"), alpha))
        return contact_sheet(tiles, tile=_PICTURE, gap=2)
    except HvrError:
        return None


def with_outliers(rows: Sequence[ClipRow]) -> list[ClipRow]:
    """The rows with the columns in which they are far from the others, by the median absolute deviation."""
    far: dict[int, set[str]] = {}
    for column in COLUMNS:
        cells = [row.cell(column) for row in rows]
        at = [k for k, cell in enumerate(cells) if cell is not None]
        values = np.array([float(cells[k].value) for k in at])
        spread = np.median(np.abs(values - np.median(values))) if len(values) >= LEAST else 0.0
        if spread > 0:
            for k in np.flatnonzero(0.6745 * np.abs(values - np.median(values)) > FAR * spread):
                far.setdefault(at[k], set()).add(column)
    return [replace(row, outliers=frozenset(far.get(k, ()))) for k, row in enumerate(rows)]


def csv_text(rows: Sequence[ClipRow]) -> str:
    """All numbers of all clips as CSV: a line a clip, columns ``NN_name.quantity``."""
    names = sorted({name for row in rows for name in row.numbers})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*FIRST, *names])
    for row in rows:
        known = [row.numbers.get(name, "") for name in names]
        about = [row.name, row.status, row.verdict, row.notebook, row.error, "; ".join(row.doubts)]
        writer.writerow([_plain(cell) for cell in about] + known)
    return out.getvalue()


def _plain(cell: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell


def _refuse_foreign(path: Path, beginning: str) -> None:
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(beginning):
        raise HvrError(f"{path} is not a file of this project and is not overwritten; move it away")
