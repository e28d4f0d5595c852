"""One thread inside the block, the old number after it, also after an error."""

import numpy as np
import pytest
import torch

from hvr_nb import threads


def counts():
    return [read() for read, _ in threads._libraries()] + [torch.get_num_threads()]


def test_threads_are_held_and_given_back():
    before = counts()
    with threads.one_thread():
        assert set(counts()) == {1}
        np.ones((200, 200)) @ np.ones((200, 200))
    assert counts() == before
    with pytest.raises(RuntimeError), threads.one_thread():
        raise RuntimeError
    assert counts() == before
