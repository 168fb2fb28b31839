"""`PlanAccess`: what an ipycanvas lacks on a page: a name for screen readers, and manners with wheel, keys and pointer."""

from __future__ import annotations

import traitlets

from anchorgen_widgets.front_end import joined_files
from anchorgen_widgets.panel_widget import PanelWidget


class PlanAccess(PanelWidget):
    """Lies under the canvas of a `PlanView` in the same box. Without it the canvas still works.

    The wheel scrolls the page again; Tab leaves the canvas; keys with Control stay JupyterLab's, all others are kept
    from it; a drag goes on outside the canvas; the pointer is heard while a button is down, some 25 times a second.

    Attributes:
        description: what a screen reader calls the canvas.
        spoken: what it reads out after a change.
    """

    _esm = joined_files("panel.js", "plan_access.js")
    _css = joined_files("panel.css", "plan_access.css")

    description = traitlets.Unicode("floor plan").tag(sync=True)
    spoken = traitlets.Unicode("").tag(sync=True)
