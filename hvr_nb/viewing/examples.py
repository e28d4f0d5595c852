"""What a lesson should show: the demo's own result, to compare one's own with."""

from __future__ import annotations

from hvr_nb.store.places import ASSETS
from hvr_nb.types import HvrError

EXAMPLES = ASSETS / "examples"


def show_example(notebook: str) -> None:
    """Display the picture that a notebook (``"03_body"``) made of the demo's synthetic person.

    Raises:
        HvrError: there is no such notebook.
    """
    from IPython.display import Image, display

    path = EXAMPLES / f"{notebook}.jpg"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in EXAMPLES.glob("*.jpg")))
        raise HvrError(f"there is no example of {notebook!r}; there are {known}")
    words = f"what {notebook} shows of the demo's person"
    data = path.read_bytes()
    display(Image(data=data, format="jpeg", alt=words, metadata={"alt": words}))
