"""Arrays as long as a film: in memory where they fit easily, else in a file without a name on the disk.

Both are plain numpy arrays with the same content. Of one that lies on the disk the system keeps in memory
what is used, and gives the memory away when somebody needs it; the file is gone when the array is.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from hvr_nb.store.atomic_files import explain_disk
from hvr_nb.store.memory import free_memory

EASY = 0.1  # share of the free memory that one array may take; a stage holds several
_ON_DISK = Path("/var/tmp")  # outlives a restart, so it is no disk in memory


def film_array(shape: tuple[int, ...], dtype: type = np.uint8) -> np.ndarray:
    """An array of zeros (...) for all frames of a film.

    Args:
        shape: its shape, the frames first.

    Raises:
        HvrError: neither memory nor disk has room for it.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= EASY * free_memory():
        return np.zeros(shape, dtype)
    folder = place_on_disk()
    with explain_disk(folder), tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)  # a disk that fills later would kill the process
        return np.memmap(file, dtype, "r+", shape=tuple(shape)).view(np.ndarray)


def place_on_disk() -> Path:
    """The folder of such files: ``TMPDIR`` where that is set, else a folder that is no disk in memory."""
    if os.environ.get("TMPDIR") or not os.access(_ON_DISK, os.W_OK):
        return Path(tempfile.gettempdir())
    return _ON_DISK


def room_for_films() -> float:
    """Bytes that the frames of a film may take: in memory, or on the disk where that holds more."""
    try:
        disk = shutil.disk_usage(place_on_disk()).free
    except OSError:
        disk = 0
    return max(EASY * free_memory(), disk / 4)  # masks and foreground come to the frames, and copies


class FilmStack:
    """Frames of one size that come one by one."""

    def __init__(self, shape: tuple[int, int, int], expected: int = 1):
        """Of pictures of ``shape``, of which ``expected`` are likely to come."""
        self.shape, self._count = tuple(shape), 0
        self._array = film_array((max(1, expected), *self.shape))

    def append(self, image: np.ndarray) -> None:
        """Add a picture (H, W, 3) uint8 of the shape.

        Raises:
            HvrError: there is no room for it.
        """
        if self._count == len(self._array):
            larger = film_array((2 * self._count, *self.shape))
            larger[: self._count] = self._array
            self._array = larger
        self._array[self._count] = image
        self._count += 1

    def frames(self) -> np.ndarray:
        """The pictures so far, (T, H, W, 3) uint8."""
        return self._array[: self._count]
