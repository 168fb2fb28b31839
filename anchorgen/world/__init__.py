"""Procedural bedrooms with a true picture after every edit.

```python
from anchorgen import world
room = world.sample_scene(seed=6)
pair = world.counterfactual(room, {"verb": "remove", "id": "table lamp-0"})
```
"""

from __future__ import annotations

from anchorgen.world.by_hand import empty_room, put
from anchorgen.world.catalogue import CATEGORIES, build_furniture
from anchorgen.world.checks import impossibilities
from anchorgen.world.counterfactuals import Counterfactual, counterfactual, influence_mask
from anchorgen.world.edits import VERBS, apply_edit, brought
from anchorgen.world.rendering import Rendering, render
from anchorgen.world.rooms import refurnish, sample_scene
from anchorgen.world.truth import world_truth
from anchorgen.world.types import Camera, ObjectSpec, RoomSpec, Window, WorldScene

__all__ = [
    "CATEGORIES",
    "VERBS",
    "Camera",
    "Counterfactual",
    "ObjectSpec",
    "Rendering",
    "RoomSpec",
    "Window",
    "WorldScene",
    "apply_edit",
    "brought",
    "build_furniture",
    "counterfactual",
    "empty_room",
    "impossibilities",
    "influence_mask",
    "put",
    "refurnish",
    "render",
    "sample_scene",
    "world_truth",
]
