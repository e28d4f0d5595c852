"""The clothed surface of a person who turns: poses, shape, cloth over cloth (docs/surface.md, 2 and 10)."""
