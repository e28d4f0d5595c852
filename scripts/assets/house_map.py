"""Write captions and verbs of the wings into the table of docs/house.md; floors stay as they are there.

Usage: python -m scripts.assets.house_map
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from hvr_nb.store.places import PACKAGE, ROOT

PAGE = ROOT / "docs" / "house.md"
ROW = re.compile(r"^\| (\d+) \| `([\w.]+)(/?)` \|.*\|$", re.M)


def described(path: Path) -> tuple[str, str]:
    """Caption and verbs of a wing's ``__init__.py`` or of a module at the top."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    verbs = re.findall(r"^- ``(\w+)``", doc, re.M) if path.name == "__init__.py" else []
    return doc.splitlines()[0], ", ".join(f"`{verb}`" for verb in verbs)


def row(match: re.Match) -> str:
    """One row of the table as it should be."""
    floor, name, wing = match.groups()
    caption, verbs = described(PACKAGE / name / "__init__.py" if wing else PACKAGE / name)
    return f"| {floor} | `{name}{wing}` | {caption} | {verbs} |"


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(ROW.sub(row, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
