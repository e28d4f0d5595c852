"""What tests in a browser wait for."""

import time

import nbformat

# as in the Makefile: what Lab leaves out when it saves
NO_WIDGETS = ("--ContentsManager.pre_save_hook=hvr_nb.viewing.saving.without_widgets",)


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


def run_cell(page, number: int) -> None:
    """Click into a code cell of a notebook that Lab shows, once its kernel is there, and run it."""
    page.get_by_text("| Idle").first.wait_for(timeout=120_000)
    page.locator(".jp-CodeCell .cm-content").nth(number).click(timeout=60_000)
    page.keyboard.press("Shift+Enter")


def saved_cells(page, notebook) -> list:
    """The cells of a notebook's file, once Lab has written it because it was told to."""
    before = notebook.stat().st_mtime_ns
    page.keyboard.press("Escape")
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_text("Save Notebook", exact=True).click()
    until = time.monotonic() + 60
    while notebook.stat().st_mtime_ns == before:
        assert time.monotonic() < until, f"{notebook} is not saved after 60 s"
        page.wait_for_timeout(200)
    page.wait_for_timeout(300)
    return nbformat.read(notebook, 4).cells
