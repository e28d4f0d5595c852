"""The first screen of the workbook: pick or upload a film, look at it, run all notebooks, see the result."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import ipywidgets as widgets

from hvr_nb.batch.chain import find_notebooks, run_chain
from hvr_nb.batch.notebook import stop_running_kernels
from hvr_nb.batch.progress import TotalProgress
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.video import VIDEO_SUFFIXES, read_video
from hvr_nb.types import HvrError
from hvr_nb.viewing.page import page_html

DEMO = "the synthetic person (demo)"
LOOKED_AT = 240  # frames of a film that are read to judge it


class StartPanel:
    """Widgets that run the chain on a film; ``widget`` is what a cell shows.

    Args:
        films: folder of films to pick from; uploads go there. clips: folder of the clips to write.
        notebooks: the notebooks to run. methods: names of methods.
        judge: (T, H, W, 3) frames and ``fps`` -> what to expect of the film, in words.
    """

    def __init__(self, *, films: Path, clips: Path, notebooks: Path, methods: Sequence[str], judge: Callable):
        self._films, self._clips, self._notebooks, self._judge = films, clips, notebooks, judge
        self._running = threading.Thread()
        wide = widgets.Layout(width="min(100%, 520px)")
        style = {"description_width": "110px"}
        self.film = widgets.Dropdown(options=self._choices(), description="film", layout=wide, style=style)
        self.path = widgets.Text(
            description="or its path", placeholder="/films/me.mp4", layout=wide, style=style
        )
        self.upload = widgets.FileUpload(accept="video/*", description="upload a film")
        self.method = widgets.Dropdown(
            options=list(methods),
            value="nvr" if "nvr" in methods else methods[0],
            description="method",
            layout=wide,
            style=style,
        )
        whole = widgets.Layout(width="auto", min_width="120px")  # the default cuts words off
        self.look = widgets.Button(description="look at it first", icon="search", layout=whole)
        self.run = widgets.Button(
            description="run all notebooks", button_style="primary", icon="play", layout=whole
        )
        self.stop = widgets.Button(description="stop", icon="stop", disabled=True, layout=whole)
        self.bar = widgets.FloatProgress(min=0, max=1, layout=wide)
        self.status = widgets.HTML()
        self.result = widgets.Output()
        self.upload.observe(self._uploaded, "value")
        self.look.on_click(lambda _: self._begin(self._look))
        self.run.on_click(lambda _: self._begin(self._run))
        self.stop.on_click(lambda _: stop_running_kernels())
        buttons = widgets.HBox([self.look, self.run, self.stop], layout=widgets.Layout(flex_flow="row wrap"))
        self.widget = widgets.VBox(
            [self.film, self.path, self.upload, self.method, buttons, self.bar, self.status, self.result]
        )

    def wait(self) -> None:
        """Return when what was begun has ended."""
        if self._running.ident is not None:
            self._running.join()

    def _choices(self) -> list[str]:
        found = sorted(p.name for p in self._films.glob("*") if p.suffix.lower() in VIDEO_SUFFIXES)
        return [DEMO, *found]

    def _video(self) -> str:
        """The chosen film; "" for the synthetic person."""
        typed = self.path.value.strip().strip("\"'")
        if typed:
            return str(Path(typed).expanduser())
        return "" if self.film.value == DEMO else str(self._films / self.film.value)

    def _clip(self) -> Path:
        video = self._video()
        return self._clips / (Path(video).stem if video else "demo")

    def _uploaded(self, change) -> None:
        for item in change["new"]:
            name = re.sub(r"[^\w.-]+", "_", Path(item["name"]).name).lstrip(".") or "film.mp4"
            place = self._films / name
            if place.exists() and place.read_bytes() != bytes(item["content"]):
                self._say(f"{place} is there already and is kept; rename your film")
                continue
            if not place.exists():
                with atomic(place) as partial:
                    partial.write_bytes(bytes(item["content"]))
            self.film.options = self._choices()
            self.film.value = name
            self._say(f"uploaded: {place}")

    def _begin(self, work: Callable[[], None]) -> None:
        if self._running.is_alive():
            return

        def run() -> None:
            for button in (self.look, self.run):
                button.disabled = True
            self.stop.disabled = False
            try:
                work()
            except (HvrError, OSError) as error:
                self._say(str(error), failed=True)
            finally:
                self.look.disabled = self.run.disabled = False
                self.stop.disabled = True

        self._running = threading.Thread(target=run, daemon=True)
        self._running.start()

    def _look(self) -> None:
        video = self._video()
        if not video:
            self._say("the synthetic person turns right round before a still camera: every side is filmed")
            return
        self._say("looking at the film ...")
        film = read_video(video, stop=LOOKED_AT, max_side=1280)
        self._say(str(self._judge(film.frames, fps=film.fps)))

    def _run(self) -> None:
        stages, clip = list(find_notebooks(self._notebooks)), self._clip()
        progress = TotalProgress(stages, [clip.name], shown=False)
        self.bar.value = 0
        self._say(f"{stages[0]} is running")

        def on_stage(ran) -> None:
            progress.ran(clip.name, ran)
            self.bar.value = progress.done / progress.total if progress.total else 1.0
            later = stages[stages.index(ran.stage) + 1 :]
            left = progress.seconds_left
            ends = f", about {left / 60:.0f} min {left % 60:.0f} s to go" if left == left else ""
            self._say(f"{ran.stage} is done{ends}" + (f"; {later[0]} is running" if later else ""))

        given = {"": {"method": self.method.value}}
        run_chain(
            self._video(),
            clip,
            notebooks_dir=self._notebooks,
            overrides=given,
            progress=False,
            on_stage=on_stage,
        )
        self.bar.value = 1.0
        self._say(f"done: {clip}")
        self.result.outputs = ()
        for name, height in (("report.html", 620), ("player.html", 560)):
            self.result.append_display_data(_Page(page_html(clip / name, height=height)))

    def _say(self, text: str, *, failed: bool = False) -> None:
        words = "<br>".join(html.escape(line) for line in text.splitlines())
        mark = "&#10006; " if failed else ""
        self.status.value = f'<div style="line-height: 1.5; max-width: 80ch">{mark}{words}</div>'


class _Page:
    """Something to display that is HTML."""

    def __init__(self, text: str):
        self._text = text

    def _repr_html_(self) -> str:
        return self._text


def start_panel(**options) -> StartPanel:
    """Show the first screen; see ``StartPanel`` for the options."""
    from IPython.display import display

    panel = StartPanel(**options)
    display(panel.widget)
    return panel
