"""A coloured mesh as a small .glb: positions in 12 bits, colours in 8 (docs/formats.md, 11).

glTF's extension KHR_mesh_quantization allows positions as integers; the node's scale and translation take
them back to metres. Viewers without the extension refuse such a file.
"""

from __future__ import annotations

import numpy as np

from hvr_nb.formats.models.glb_file import INDEX_DATA, VERTEX_DATA, GlbBuffer, glb_bytes
from hvr_nb.types import HvrError, Mesh

STEPS = 4095  # of positions along the longest side: 0.5 mm for a person
QUANTIZED, UNLIT = "KHR_mesh_quantization", "KHR_materials_unlit"


def small_glb(mesh: Mesh, marks: np.ndarray | None = None) -> bytes:
    """The content of a .glb of a mesh with vertex colours, which hold the film's light.

    Args:
        marks: (V,) uint8 to keep as the alpha of the colours, which an opaque material does not show.

    Raises:
        HvrError: the mesh is empty or has no colours.
    """
    if not len(mesh.faces) or mesh.colors is None:
        raise HvrError(
            "a mesh without faces or colours cannot be put into a gallery; train longer in 05_train"
        )
    low = mesh.vertices.min(0).astype(np.float64)
    step = float(np.ptp(mesh.vertices, axis=0).max()) / STEPS
    positions = np.zeros(
        (len(mesh.vertices), 4), np.uint16
    )  # padded: vertices stand on multiples of four bytes
    positions[:, :3] = np.rint((mesh.vertices - low) / step)
    colours = np.full((len(mesh.colors), 4), 255, np.uint8)
    colours[:, :3] = mesh.colors
    if marks is not None:
        colours[:, 3] = marks
    buffer = GlbBuffer()
    view = buffer.view(positions.tobytes(), target=VERTEX_DATA)
    buffer.views[view]["byteStride"] = 8
    buffer.accessors.append(
        {
            "bufferView": view,
            "componentType": 5123,
            "count": len(positions),
            "type": "VEC3",
            "min": positions[:, :3].min(0).tolist(),
            "max": positions[:, :3].max(0).tolist(),
        }
    )
    attributes = {"POSITION": 0, "COLOR_0": buffer.numbers(colours, target=VERTEX_DATA, normalized=True)}
    kind = np.uint16 if len(positions) <= 65535 else np.uint32
    indices = buffer.numbers(mesh.faces.astype(kind).ravel(), target=INDEX_DATA)
    tree = {
        "extensionsUsed": [QUANTIZED, UNLIT],
        "extensionsRequired": [QUANTIZED],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "translation": low.tolist(), "scale": [step] * 3}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}],
        "materials": [{"doubleSided": True, "extensions": {UNLIT: {}}}],
    }
    return glb_bytes(tree, buffer)
