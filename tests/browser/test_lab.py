"""JupyterLab in a browser: what is there when a notebook is opened again without its kernel."""

from browser_tools import player_frames, world_ready

NO_KERNELS = (
    "--KernelSpecManager.ensure_native_kernel=False",
    "--KernelSpecManager.allowed_kernelspecs=none",
)

STRIPS = """() => {
  const shown = [...document.querySelectorAll('.jp-OutputArea-output img')];
  return shown.length >= 4 && shown.every(image => image.naturalWidth > 100);
}"""


def opened(open_page, address: str, name: str):
    """A notebook opened in Lab, past its question for a kernel."""
    page = open_page(f"{address}/lab/tree/{name}?reset", 1280, 3000)
    page.wait_for_selector("dialog.jp-Dialog", timeout=40_000)
    page.keyboard.press("Escape")
    return page


def test_a_notebook_opened_again_without_a_kernel_plays(open_page, shown_notebook, lab):
    """First as somebody else's (not trusted: the strip), then as one's own (signed: the player)."""
    folder = shown_notebook.parent
    with lab(folder, *NO_KERNELS) as address:
        page = opened(open_page, address, shown_notebook.name)
        page.wait_for_function(STRIPS)  # cells out of sight are not drawn
        assert page.locator(".jp-OutputArea-output iframe").count() == 0
        page.close()
        lab.sign(shown_notebook, folder)
        page = opened(open_page, address, shown_notebook.name)
        frames = player_frames(page, 4)
        scene = frames[1]
        world_ready(scene)
        scene.evaluate("player.show(7)")
        assert scene.evaluate("player.state().world.index") == 7
        assert "model not found" not in page.inner_text("body") and page.faults == []
        assert not [url for url in page.asked if url.startswith("http") and not url.startswith(address)]
