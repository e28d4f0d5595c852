"""What tests in a browser wait for."""

import contextlib
import time

import nbformat

# as in the Makefile: what Lab leaves out when it saves
NO_WIDGETS = ("--ContentsManager.pre_save_hook=hvr_nb.viewing.saving.without_widgets",)
PATIENCE = 300  # seconds; only ends a hang: a busy machine may take its time


def player_frames(page, count: int) -> list:
    """The frames of a page in which a player runs, once there are ``count``."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = [f for f in page.frames if f.evaluate("Boolean(window.player)")]
        if len(found) >= count:
            return found
        page.wait_for_timeout(200)
    raise AssertionError(f"{len(found)} players of {count} are there after {PATIENCE} s")


def world_ready(frame) -> dict:
    """What the 3D scene of a player's frame says of itself, once it is there."""
    frame.wait_for_function("player.state().world !== null")
    return frame.evaluate("player.state().world")


NO_KERNELS = (
    "--KernelSpecManager.ensure_native_kernel=False",
    "--KernelSpecManager.allowed_kernelspecs=none",
)


def draw_all_cells(folder) -> None:
    """Tell the Lab that will run in ``folder`` to draw cells that are out of sight, too."""
    settings = folder / ".jupyter" / "CONFIG" / "labconfig" / "default_setting_overrides.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}')


def open_without_kernel(open_page, address: str, name: str):
    """A notebook opened in a Lab without kernels, past its question for one."""
    page = open_page(f"{address}/lab/tree/{name}?reset", 1280, 3000)
    question = page.locator("dialog.jp-Dialog")
    question.wait_for()
    while question.count():  # its first moments may miss a key
        page.keyboard.press("Escape")
        page.wait_for_timeout(100)
    return page


def run_cell(page, number: int) -> None:
    """Click into a code cell of a notebook that Lab shows, once its kernel is there, and run it."""
    page.get_by_text("| Idle").first.wait_for()
    page.locator(".jp-CodeCell .cm-content").nth(number).click()
    page.keyboard.press("Shift+Enter")


def saved_cells(page, notebook) -> list:
    """The cells of a notebook's file, once Lab has written it because it was told to."""
    before, cells = notebook.stat().st_mtime_ns, None
    page.keyboard.press("Escape")
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_text("Save Notebook", exact=True).click()
    until = time.monotonic() + PATIENCE
    while cells is None:
        assert time.monotonic() < until, f"{notebook} is not saved"
        page.wait_for_timeout(200)
        if notebook.stat().st_mtime_ns != before:
            with contextlib.suppress(nbformat.reader.NotJSONError):  # Lab is still writing
                cells = nbformat.read(notebook, 4).cells
    return cells
