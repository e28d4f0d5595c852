"""What is seen while a method works, and what Stop does."""

import signal

import numpy as np
import pytest

from hvr_nb.learning.progress import Progress
from hvr_nb.types import HvrError
from hvr_nb.viewing import TrainingView, training

FRAMES = np.full((6, 40, 30, 3), 90, np.uint8)


class Shown:
    """Stands for IPython's display: the outputs that a cell has, and how often each was renewed."""

    def __init__(self):
        self.outputs = []

    def display(self, data, raw, display_id):
        assert raw and display_id
        self.outputs.append([data])
        shown = self.outputs[-1]
        return type("Handle", (), {"update": lambda _, new, raw: shown.append(new)})()


@pytest.fixture
def shown(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs may ignore it
    shown = Shown()
    monkeypatch.setattr("IPython.display.display", shown.display)
    monkeypatch.setattr(training, "is_live", lambda: True)
    yield shown
    signal.signal(signal.SIGINT, before)


class Clock:
    """Time that passes only when it is told to."""

    now = 0.0

    def __call__(self):
        return self.now


def told(done, clock=None, cost=0.0, total=100, held=(2, 4)):
    def draw(frame):
        if clock:
            clock.now += cost
        return np.full((20, 15, 3), 200, np.uint8)

    history = {"step": list(range(done)), "seconds": [], "psnr_body": [10.0 + k for k in range(done)]}
    return Progress(done, total, history, np.array(held, int), draw)


def test_drawing_takes_a_small_share_of_the_time(shown):
    clock = Clock()
    view, cost, work = TrainingView(FRAMES, clock=clock), 0.5, 0.25
    with view:
        for done in range(1, 201):
            clock.now += work
            assert view(told(done, clock, cost, total=200)) is False
    (states,) = shown.outputs
    drawn = (len(states) - 1) * cost
    assert states.pop(0) == {"text/plain": "[training starts]"}
    assert 3 <= len(states) and drawn / clock.now < 0.05, "one output, renewed now and then"
    assert states[-1]["text/plain"] == "[step 200 of 200]", "the end is shown"
    assert set(states[-1]) == {"image/png", "text/plain"}, "no widget"


def test_the_picture_is_of_a_held_out_frame_and_has_the_curve():
    asked = []
    progress = told(3)
    progress = Progress(3, 9, progress.history, np.array([1, 3, 5]), lambda k: asked.append(k) or FRAMES[0])
    whole = training.training_picture(progress, FRAMES)
    nothing = Progress(3, 9, {}, np.zeros(0, int), lambda k: asked.append(k))
    bare = training.training_picture(nothing, FRAMES, title="step 3")
    assert asked == [3, 0] and whole.shape[0] > bare.shape[0] + 100 and bare.shape[0] > training.TILE


def test_stop_ends_after_the_step_and_the_next_cell_says_so(shown):
    view = TrainingView(FRAMES)
    before = signal.getsignal(signal.SIGINT)
    with view:
        assert view(told(1)) is False
        signal.raise_signal(signal.SIGINT)  # what Lab's Stop sends to the kernel
        assert view(told(2)) is True
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert shown.outputs[0][-1]["text/plain"] == "[training was stopped after 2 of 100 steps]"
    with pytest.raises(HvrError, match="stopped after 2 of 100 steps; run the cell that trains again"):
        view.require_end()


def test_stop_in_the_last_step_is_no_stop(shown):
    view = TrainingView(FRAMES)
    with view:
        signal.raise_signal(signal.SIGINT)
        assert view(told(100)) is False
    view.require_end()


def test_in_a_batch_nothing_is_shown_and_an_interrupt_is_one(shown, monkeypatch):
    monkeypatch.setattr(training, "is_live", lambda: False)
    view = TrainingView(FRAMES, clock=iter(range(0, 10**6, 1000)).__next__)
    with pytest.raises(KeyboardInterrupt), view:
        assert not any(view(told(done)) for done in (1, 50, 100))
        signal.raise_signal(signal.SIGINT)
    assert shown.outputs == []
    view.require_end()
