"""The player in a browser: pictures in step, a scene that stays upright, the wipe, keys, small screens."""

import html
import re

import nbformat
import pytest
from browser_tools import player_frames, world_ready

SIZES = ((1280, 800), (400, 800))


CONTRAST = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const part = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = c => 0.2126 * part(c[0]) + 0.7152 * part(c[1]) + 0.0722 * part(c[2]);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const c = rgb(getComputedStyle(node).backgroundColor);
      if (c.length === 3 || c[3] > 0.99) return c;
    }
    return [255, 255, 255];
  };
  const words = [...document.querySelectorAll('button, select, span, figcaption, h1, text')];
  return words.filter(n => n.getClientRects().length && n.textContent.trim()).map(n => {
    const style = getComputedStyle(n), ink = rgb(n.tagName === 'text' ? style.fill : style.color);
    const [a, b] = [light(ink), light(ground(n))].sort((p, q) => q - p);
    return [n.textContent.trim().slice(0, 30), (a + 0.05) / (b + 0.05)];
  });
}"""
DARK = """() => {  // centre and share of what is darker than the ground
  const c = document.querySelector('canvas.world'), gl = c.getContext('webgl2');
  const p = new Uint8Array(4 * c.width * c.height);
  gl.readPixels(0, 0, c.width, c.height, gl.RGBA, gl.UNSIGNED_BYTE, p);
  let x = 0, y = 0, n = 0;
  for (let i = 0; i < p.length / 4; i++)
    if (p[4 * i] < 225) { x += i % c.width; y += Math.floor(i / c.width); n++; }
  return [x / n / c.width, 1 - y / n / c.height, n / c.width / c.height];
}"""

FOURTH = """() => ['film', 'avatar'].every(name => {  // frame 4 is decoded and painted, upside down too
  const c = document.querySelector(`canvas[aria-label=${name}]`);
  return c.getContext('2d').getImageData(45, name === 'film' ? 40 : c.height - 41, 1, 1).data[0] > 200;
})"""
PLAYED = """seconds => new Promise(done => {  // what is shown at each picture of the screen while it plays
  const seen = [], began = performance.now();
  player.play(true);
  const look = time => {
    seen.push([(time - began) / 1000, player.state().now]);
    if (time - began < 1000 * seconds) requestAnimationFrame(look);
    else { player.play(false); done(seen); }
  };
  requestAnimationFrame(look);
})"""


@pytest.fixture(scope="session")
def player_page(shown_notebook):
    """A page of film, avatar, scene, wipe and curve: the one of the notebook's last two players together."""
    return shown_notebook.parent / "player.html"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
def test_the_page_fits_and_asks_for_nothing(open_page, player_page, size):
    page = open_page(player_page, *size)
    world_ready(page)
    wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= wide[1], "it scrolls sideways"
    assert [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.faults == []
    shapes = page.evaluate(
        "[...document.querySelectorAll('.panel:not([hidden]) > canvas')]"
        ".map(c => c.getBoundingClientRect().width / c.getBoundingClientRect().height - c.width / c.height)"
    )
    assert shapes and max(map(abs, shapes)) < 0.02, "pictures keep their shape"
    tops = page.evaluate(
        "[...document.querySelectorAll('.panel:not([hidden])')].filter(f => ['film', 'avatar']"
        ".includes(f.innerText.trim())).map(f => f.getBoundingClientRect().bottom)"
    )
    assert len(tops) == 2 and max(tops) < 800, "film and avatar are seen together"


def test_every_frame_is_played_at_the_clips_rate(open_page, player_page):
    """By the page's own clock: a busy machine draws seldom, and still the right frame."""
    page = open_page(player_page)
    world_ready(page)
    seen = page.evaluate(PLAYED, 1.5)
    off = [(now - seconds * 10 + 6) % 12 - 6 for seconds, now in seen]  # 12 frames, 10 a second, in a circle
    assert seen[-1][0] >= 1.5 and max(map(abs, off)) < 1.5, seen
    assert not page.evaluate("player.state().playing")
    for playing in (True, False):
        page.keyboard.press("Space")
        assert page.evaluate("player.state().playing") is playing
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("player.state().now") == 1
    assert "frame 1" in page.inner_text(".clock") and "0.10 s" in page.inner_text(".clock")
    film = "document.querySelector('canvas[aria-label=film]').toDataURL()"
    before = page.evaluate(film)
    page.keyboard.press("End")
    page.wait_for_function(f"before => {film} !== before", arg=before)
    page.locator("canvas.world").click()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("player.state().now") == 10, "arrows step after a click into the scene, too"


def test_the_scene_stays_upright_and_follows(open_page, player_page):
    page = open_page(player_page)
    first = world_ready(page)
    assert first["error"] == 0
    box = page.locator("canvas.world").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for k in range(1, 9):
        page.mouse.move(x + 20 * k, y + 12 * (-1) ** k * k)
    page.mouse.up()
    turned = page.evaluate("player.state().world")
    assert abs(turned["yaw"] - first["yaw"]) > 0.5
    assert turned["right"][1] == 0 and turned["up"][1] > 0, "it is never tipped over"
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 3000)
    page.mouse.up()
    assert page.evaluate("player.state().world.up")[1] > 0, "nor turned on its head"
    page.get_by_role("button", name="front", exact=True).click()
    still = page.locator("canvas.world").screenshot()
    page.evaluate("player.show(6)")
    assert page.locator("canvas.world").screenshot() != still, "the body walks"
    page.get_by_role("button", name="SMPL", exact=True).click()
    assert page.evaluate("player.state().world.on.SMPL") is False
    page.get_by_role("button", name="camera", exact=True).click()
    assert page.evaluate("player.state().world.through") is True


def test_through_the_film_camera_the_body_stands_where_it_was_filmed(open_page, player_page):
    """The middle of the body's silhouette, against the projection of its joints by the camera."""
    page = open_page(player_page)
    world_ready(page)
    for name in ("camera", "film camera", "skeleton"):
        page.get_by_role("button", name=name, exact=True).click()
    share = page.evaluate(DARK)
    data = page.evaluate(
        "JSON.parse(document.getElementById('data').textContent).note.split(' ').map(Number)"
    )
    assert share[2] > 0.02
    assert abs(share[1] - data[1]) < 0.05, "as high in the picture as its joints are on average"


def test_the_wipe_and_the_curve(open_page, player_page):
    page = open_page(player_page)
    page.wait_for_function("window.player")
    page.get_by_role("button", name=re.compile("^worst")).click()
    assert page.evaluate("player.state().now") == 10, "the highest of 0 to 10, and NaN is none"
    curve = page.locator(".curve svg").bounding_box()
    page.mouse.click(curve["x"] + 52 + (curve["width"] - 60) * 4 / 11, curve["y"] + 40)
    assert page.evaluate("player.state().now") == 4
    page.get_by_role("button", name="wipe", exact=True).click()
    page.wait_for_function(FOURTH)
    wipe = page.locator("canvas.wipe")
    box, seen = wipe.bounding_box(), []
    for share in (0.02, 0.98):
        page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        seen.append(wipe.evaluate("c => [...c.getContext('2d').getImageData(45, 40, 1, 1).data]"))
    assert seen[0] != seen[1], "right of the line is the avatar, left of it the film"
    page.get_by_label("right of the wipe").select_option("difference")
    page.mouse.click(box["x"] + 0.02 * box["width"], box["y"] + box["height"] / 2)
    corner = wipe.evaluate("c => [...c.getContext('2d').getImageData(c.width - 3, c.height - 3, 1, 1).data]")
    assert max(corner[:3]) < 25, "where nothing differs the difference is black"


def test_words_and_buttons_have_contrast(open_page, player_page):
    """WCAG's ratio of every text on its ground, in the light and in the dark scheme."""
    for scheme in ("light", "dark"):
        page = open_page(player_page)
        page.emulate_media(color_scheme=scheme)
        world_ready(page)
        found = page.evaluate(CONTRAST)
        assert len(found) > 10
        assert [words for words, ratio in found if ratio < 4.5] == [], scheme


def test_everything_has_a_name_for_those_who_do_not_see_it(open_page, player_page):
    page = open_page(player_page)
    world_ready(page)
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select, img, [role=img]')].filter(n => !n.hidden && "
        "!(n.getAttribute('aria-label') || n.alt || n.textContent.trim())).map(n => n.outerHTML.slice(0, 80))"
    )
    assert nameless == []


def test_plain_papermill_and_nbconvert_play(open_page, shown_notebook):
    from nbconvert import HTMLExporter

    links = dict.fromkeys(("mathjax_url", "require_js_url", "jquery_url", "mermaid_js_url"), "")
    text, _ = HTMLExporter(**links).from_filename(str(shown_notebook))
    path = shown_notebook.with_suffix(".html")
    path.write_text(text)
    page = open_page(path)
    frames = player_frames(page, 4)
    assert [f.evaluate("player.state().count") for f in frames] == [12] * 4
    assert page.faults == [] and not [u for u in page.asked if u.startswith("http")]
    assert "&lt;k3d" not in text and "VBox(" not in text and "model not found" not in text


def test_an_untrusted_or_static_reader_shows_the_strip(open_page, shown_notebook, tmp_path):
    """Iframes dropped, as Lab and GitHub do: the picture below is there; and the output has a PNG."""
    outputs = [o for c in nbformat.read(shown_notebook, 4).cells if c.cell_type == "code" for o in c.outputs]
    assert len(outputs) == 5 and all(
        "image/png" in o.data and o.metadata["image/png"]["alt"] for o in outputs
    )
    shown = [re.sub(r"<iframe.*?</iframe>", "", o.data["text/html"], flags=re.S) for o in outputs[:4]]
    path = tmp_path / "static.html"
    path.write_text("".join(shown))
    page = open_page(path)
    sizes = page.evaluate("[...document.images].map(i => [i.naturalWidth, i.alt])")
    assert len(sizes) == 4 and min(width for width, _ in sizes) > 100 and html.escape("frames") in sizes[0][1]
