"""Names and texts of hostile clips stay texts on the page over all clips, and its links lead nowhere else."""

from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import numpy as np

from hvr_nb.report import write_clips_page
from hvr_nb.store.clip import Clip
from hvr_nb.store.markers import write_failure

NAMES = ("javascript:alert(1)", '"><img src=x onerror=alert(1)>', "a#b?c", "<script>", "data:text", "..%2f")


class Seen(HTMLParser):
    """Tags and links of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.links, self.handlers = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name == "href"]
        self.handlers += [name for name, _ in attributes if name.startswith("on")]


def page_of(folder) -> Seen:
    seen = Seen()
    seen.feed(write_clips_page(folder).read_text())
    return seen


def make_clip(folder, words: str) -> None:
    image = np.zeros((1, 8, 8, 3), np.uint8)
    clip = Clip.create(folder, image, fps=30.0, names=["a"], times=[0.0], source={"path": words})
    clip.record("00_video", doubts=[words])
    (folder / "report.html").write_text("page")
    write_failure(folder / "runs" / "01_keypoints.ipynb", words)
    (folder / "runs" / "01_keypoints.html").write_text("page")


def test_names_and_words_of_clips_are_no_program(tmp_path):
    for k in range(len(NAMES)):
        make_clip(tmp_path / "plain" / f"clip{k}", "words")
        make_clip(tmp_path / "hostile" / NAMES[k], "</td><script>alert(1)</script><b onclick=alert(1)>")
    plain, hostile = page_of(tmp_path / "plain"), page_of(tmp_path / "hostile")
    assert hostile.tags == plain.tags and hostile.handlers == plain.handlers
    assert len(hostile.links) == len(plain.links) > 2 * len(NAMES)
    for link in hostile.links:
        parts = urlsplit(link)
        assert not parts.scheme and not parts.netloc and not parts.query and not parts.fragment
        assert (tmp_path / "hostile" / unquote(parts.path)).is_file(), link
