"""Films longer than memory: their arrays lie on the disk and hold the same; what is held does not grow."""

import errno
import os
import tracemalloc

import numpy as np
import pytest
from small_clips import frames, make, some_masks

from hvr_nb.store import film_arrays
from hvr_nb.store.clip import Clip
from hvr_nb.store.film_arrays import FilmStack, film_array, room_for_films
from hvr_nb.store.video import read_video, write_video
from hvr_nb.types import HvrError


@pytest.fixture
def on_disk(monkeypatch, tmp_path):
    """Every array of a film goes to a file below ``tmp_path / "scratch"``."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(film_arrays, "free_memory", lambda: 0)
    return tmp_path / "scratch"


def held(array: np.ndarray) -> bool:
    """Whether a file is behind an array."""
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


def test_an_array_on_the_disk_is_an_array_of_zeros_without_a_file_name(on_disk):
    array = film_array((5, 4, 3), np.uint16)
    assert type(array) is np.ndarray and held(array) and array.dtype == np.uint16
    assert array.shape == (5, 4, 3) and not array.any() and list(on_disk.iterdir()) == []
    array[2] = 7
    assert array.sum() == 7 * 12


def test_short_films_stay_in_memory():
    assert not held(film_array((5, 4, 3)))


def test_a_disk_without_room_is_named_before_anything_is_written(on_disk, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(HvrError, match="the disk is full: .*scratch"):
        film_array((5, 4, 3))


def test_frames_that_come_one_by_one_are_all_kept(on_disk):
    stack, images = FilmStack((2, 3, 3), 2), np.concatenate([frames(k) for k in range(3)])[:, :2, :3]
    for image in images:
        stack.append(image)
    assert np.array_equal(stack.frames(), images)


def test_room_is_asked_of_the_machine(monkeypatch):
    monkeypatch.setattr(film_arrays, "free_memory", lambda: 10**15)
    assert room_for_films() == film_arrays.EASY * 10**15
    monkeypatch.setattr(film_arrays, "free_memory", lambda: 0)
    assert 0 < room_for_films() < 10**15


def moving(count: int) -> np.ndarray:
    y, x = np.mgrid[:48, :64]
    return np.stack(
        [np.stack([(x * 3 + 5 * t) % 256, (y * 4) % 256, (x + y + t) % 256], -1) for t in range(count)]
    )


def test_a_clip_is_the_same_from_the_disk_as_from_memory(tmp_path, monkeypatch, request):
    film = write_video(tmp_path / "film.mkv", moving(9).astype(np.uint8), fps=30)
    video = read_video(film)
    clip = make(tmp_path / "clip")
    clip.save("masks", some_masks())
    fresh = Clip(clip.folder)
    whole = fresh.frames, fresh.masks
    request.getfixturevalue("on_disk")
    again, other = read_video(film), Clip(clip.folder)
    assert held(again.frames) and held(other.frames) and held(other.masks.alpha)
    assert np.array_equal(again.frames, video.frames) and np.array_equal(other.frames, whole[0])
    assert np.array_equal(other.masks.alpha, whole[1].alpha)


def test_what_is_held_in_memory_does_not_grow_with_the_film(tmp_path, on_disk):
    """Reading a film and writing, opening and reading its clip, for 30 and for 90 frames."""
    peaks = {}
    for count in (30, 30, 90):  # the first time also imports
        film = write_video(tmp_path / f"{count}.mp4", moving(count).astype(np.uint8), fps=30)
        tracemalloc.start()
        video = read_video(film)
        made = dict(fps=video.fps, names=video.names, times=video.times, source={"path": str(count)})
        clip = Clip.create(tmp_path / f"clip{count}", video.frames, **made)
        Clip.create(tmp_path / f"clip{count}", video.frames, **made)  # nothing has changed
        assert np.array_equal(clip.frames[-1], video.frames[-1])
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[90] - peaks[30] < 0.15 * 60 * 48 * 64 * 3
