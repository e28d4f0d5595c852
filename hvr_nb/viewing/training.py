"""A display that is renewed while a method works: a held-out frame beside the avatar so far, and the curve.

One picture takes the place of the one before, so that a saved notebook keeps the last and nothing else.
"""

from __future__ import annotations

import base64
import signal
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from hvr_nb.drawing import pictures, plots
from hvr_nb.learning.progress import Progress
from hvr_nb.types import HvrError
from hvr_nb.viewing.display import is_live
from hvr_nb.viewing.saved import encode_still

LEAST = 3.0  # seconds from one picture to the next, at least
SHARE = 0.04  # of the time that drawing may take
TILE = 300  # pixels, the height of a picture


class TrainingView:
    """Watches a reconstruction: give it as ``progress``, inside ``with``.

    Where nothing is live (papermill, a batch) it shows nothing and an interrupt is an interrupt. In Lab, the
    first interrupt (*Stop*) ends the training after the step that runs; a second one interrupts at once.

    Args:
        frames: (T, H, W, 3) uint8 of the clip. names: T frame names.
        clock: seconds that pass.
    """

    def __init__(
        self,
        frames: np.ndarray,
        names: Sequence[str] = (),
        *,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self._frames, self._names, self._clock = frames, names, clock
        self._live, self._asked, self._handle = is_live(), False, None
        self._due = clock() + LEAST
        self.stopped = ""  # where training was stopped, in words

    def __call__(self, progress: Progress) -> bool:
        """Show how far it is, if it is time to; True where Stop was pressed."""
        if not self._live:
            return False
        asked = self._asked and progress.done < progress.total
        if asked:
            self.stopped = f"training was stopped after {progress.done} of {progress.total} steps"
        began = self._clock()
        if asked or progress.done == progress.total or began >= self._due:
            self._renew(progress)
            ended = self._clock()
            self._due = ended + max(LEAST, (ended - began) / SHARE)
        return asked

    def require_end(self) -> None:
        """Refuse to go on with an avatar that is not trained to its end.

        Raises:
            HvrError: training was stopped.
        """
        if self.stopped:
            raise HvrError(f"{self.stopped}; run the cell that trains again to go on, then this one")

    def __enter__(self) -> TrainingView:
        self._before = None
        if self._live:  # before the bar of the training, which stays one line below it
            self._show({"text/plain": "[training starts]"})
        if self._live and threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):
                self._before = before
                signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *_) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _interrupted(self, number, frame) -> None:
        if self._asked:
            self._before(number, frame)
        self._asked = True

    def _renew(self, progress: Progress) -> None:
        words = self.stopped or f"step {progress.done} of {progress.total}"
        picture = training_picture(progress, self._frames, self._names, title=words)
        png = base64.b64encode(encode_still(picture)).decode()
        self._show({"image/png": png, "text/plain": f"[{words}]"})

    def _show(self, data: dict[str, str]) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


def training_picture(
    progress: Progress, frames: np.ndarray, names: Sequence[str] = (), *, title: str = ""
) -> np.ndarray:
    """A picture (H, W, 3) uint8: a held-out frame, the person so far, and how the error on the body falls.

    Args:
        frames: (T, H, W, 3) uint8 of the clip. names: T frame names.
    """
    held = progress.held_out
    frame = int(held[len(held) // 2]) if len(held) else 0
    name = f"{'held-out ' if len(held) else ''}frame {names[frame] if len(names) else frame}"
    shown, captions = [frames[frame]], [name]
    drawn = progress.draw(frame)
    if drawn is not None:
        shown, captions = [*shown, drawn], [*captions, "so far"]
    parts = [pictures.contact_sheet(shown, captions, tile=TILE, title=title)]
    curve = progress.history.get("psnr_body", ())
    if len(curve) > 1:
        steps = np.asarray(progress.history["step"])
        parts.append(plots.plot_series({"psnr_body": np.asarray(curve)}, steps=steps, width=900))
    return pictures.stack(parts)
