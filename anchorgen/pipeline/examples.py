"""The bundled held-out rooms: pictures that no network was trained on, with all that the world knows of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from anchorgen.pipeline.pretrained import BUNDLED, bundled_folder
from anchorgen.scene.latent import SceneLatent


@dataclass(frozen=True)
class Example:
    """Attributes:
    name: e.g. "room-30000002".
    image: the path-traced picture, 128 x 128 RGB.
    scene: its true latents: exact boxes, and appearance pooled from exact voxels.
    world: the room itself as JSON (`anchorgen.world.types.WorldScene.from_json`).
    edited_image: the true picture after `edit`, path-traced with the same exposure; None where there is none.
    edit: the verbs of that edit, e.g. `[{"verb": "remove", "id": "table lamp-0"}]`.
    """

    name: str
    image: Image.Image
    scene: SceneLatent
    world: dict[str, Any]
    edited_image: Image.Image | None = None
    edit: tuple[dict[str, Any], ...] = ()


def examples(name: str = BUNDLED[0]) -> list[Example]:
    """The rooms bundled with a model, in a fixed order. Needs no world renderer."""
    folder = bundled_folder(name) / "examples"
    return [_read(path) for path in sorted(folder.glob("*.json"))]


def _read(path: Path) -> Example:
    facts = json.loads(path.read_text())
    image = Image.open(path.with_suffix(".webp")).convert("RGB")
    edited = path.with_name(f"{path.stem}.edited.webp")
    after = Image.open(edited).convert("RGB") if edited.is_file() else None
    scene = SceneLatent.load(path.with_suffix(".safetensors"))
    return Example(path.stem, image, scene, facts["world"], after, tuple(facts["edit"]))
