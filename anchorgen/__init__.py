"""anchorgen: edit and resample a picture's 3D object latents (Anchored Generation).

    import anchorgen as ag
    pipe = ag.load("bedrooms-128")
    room = ag.examples()[0]
    scene = pipe.encode(room.image)
    image = pipe.render(scene.move("nightstand", right=0.3).remove("lamp"))

Names are imported when first used, so that `import anchorgen` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "AnchorgenPipeline": "anchorgen.pipeline",
    "Example": "anchorgen.pipeline",
    "examples": "anchorgen.pipeline",
    "load": "anchorgen.pipeline",
    "Library": "anchorgen.scene",
    "SceneLatent": "anchorgen.scene",
    "everything": "anchorgen.scene",
    "Sweep": "anchorgen.analysis.sweeps",
    "sweep": "anchorgen.analysis.sweeps",
}
__all__ = [
    "AnchorgenPipeline",
    "Example",
    "Library",
    "SceneLatent",
    "Sweep",
    "__version__",
    "everything",
    "examples",
    "load",
    "sweep",
]

if TYPE_CHECKING:
    from anchorgen.analysis.sweeps import Sweep, sweep
    from anchorgen.pipeline import AnchorgenPipeline, Example, examples, load
    from anchorgen.scene import Library, SceneLatent, everything


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'anchorgen' has no attribute {name!r}; it offers {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
