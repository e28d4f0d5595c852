"""The runtime's announcements do not reach a notebook."""

import os

import numpy as np

from hvr_nb.keypoints import blazepose


def test_the_runtime_says_nothing_and_errors_are_still_written(detector, capfd):
    blazepose._network.cache_clear()
    blazepose.detect(np.zeros((64, 64, 3), np.uint8))
    os.write(2, b"an error")
    assert capfd.readouterr().err == "an error"
