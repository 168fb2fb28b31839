"""What people see as an object's name, the same in the picture and in lists."""

from __future__ import annotations

from anchorgen.scene.latent import SceneLatent


def display_names(scene: SceneLatent) -> dict[str, str]:
    """Name by id, removed objects too: the label where it is the only one of its kind, else the id."""
    views = [*scene.objects, *scene.removed]
    labels = [view.label for view in views]
    return {view.id: view.label if view.label and labels.count(view.label) == 1 else view.id for view in views}
