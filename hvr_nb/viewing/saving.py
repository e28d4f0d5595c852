"""What JupyterLab leaves out when it saves: widgets, whose state dies with the kernel.

``make lab`` gives ``without_widgets`` to the server (``ContentsManager.pre_save_hook``). A widget's output
keeps its other forms, so that the notebook shows them when it is opened again.
"""

from __future__ import annotations

WIDGET = "application/vnd.jupyter.widget-view+json"


def without_widgets(model: dict, **_where) -> None:
    """Take widgets out of all outputs, and outputs that are nothing else; a hook of Jupyter's server.

    Args:
        model: of the contents API; its notebook is changed in place.
    """
    if model.get("type") != "notebook" or not isinstance(model.get("content"), dict):
        return
    for cell in model["content"].get("cells", []):
        widgets = [output for output in cell.get("outputs", []) if WIDGET in output.get("data", {})]
        for output in widgets:
            del output["data"][WIDGET]
            if set(output["data"]) <= {"text/plain"}:  # the widget's name alone
                cell["outputs"].remove(output)
