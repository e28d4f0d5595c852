"""What tests in a browser wait for."""

import time


def player_frames(page, count: int) -> list:
    """The frames of a page in which a player runs, once there are ``count``."""
    until = time.monotonic() + 25
    while time.monotonic() < until:
        found = [f for f in page.frames if f.evaluate("Boolean(window.player)")]
        if len(found) >= count:
            return found
        page.wait_for_timeout(200)
    raise AssertionError(f"{len(found)} players of {count} are there after 25 s")


def world_ready(frame) -> dict:
    """What the 3D scene of a player's frame says of itself, once it is there."""
    frame.wait_for_function("player.state().world !== null", timeout=25_000)
    return frame.evaluate("player.state().world")
