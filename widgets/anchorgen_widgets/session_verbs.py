"""`SessionVerbs`: what is done to one object by its id, or to the selected one, each as one undo step."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anchorgen.scene.latent import SceneLatent, Vector
from anchorgen.scene.object_view import ObjectView
from anchorgen.scene.selection import Selector
from anchorgen_widgets.anchor_rows import with_strength
from anchorgen_widgets.gestures import unmistakable


class SessionVerbs(ABC):
    """A part of `EditorSession`."""

    lock: threading.RLock

    @property
    @abstractmethod
    def scene(self) -> SceneLatent: ...

    @property
    @abstractmethod
    def selected(self) -> str: ...

    @abstractmethod
    def select(self, object_id: str) -> None: ...

    @abstractmethod
    def edit(self, label: str, verbs: Callable[[SceneLatent], SceneLatent]) -> SceneLatent: ...

    def remove(self, object_id: str = "") -> SceneLatent:
        """Removes an object, by default the selected one."""
        with self.lock:
            name, word = self._target(object_id, "remove")
            return self.edit(f"remove {name}", lambda scene: scene.remove(word))

    def restore(self, object_id: str) -> SceneLatent:
        """Brings a removed object back and selects it."""
        with self.lock:
            word = unmistakable(self.scene, object_id, removed=True)
            scene = self.edit(f"restore {object_id}", lambda scene: scene.restore(word))
            self.select(object_id)
            return scene

    def duplicate(self, object_id: str = "") -> SceneLatent:
        """Copies an object, by default the selected one, and selects the copy."""
        with self.lock:
            name, word = self._target(object_id, "duplicate")
            return self._adding(f"duplicate {name}", lambda scene: scene.duplicate(word))

    def insert(self, obj: ObjectView, at: Vector | Mapping[str, Any] | None = None) -> SceneLatent:
        """Puts an object of another scene here (`SceneLatent.insert`) and selects it."""
        with self.lock:
            return self._adding(f"insert {obj.label or obj.name}", lambda scene: scene.insert(obj, at))

    def set_strength(self, targets: Selector | Sequence[Selector], strength: float) -> SceneLatent:
        """Releases, or with strength 0 anchors, what the selectors name. The picture stays: anchors do not show."""
        listed = [targets] if isinstance(targets, (str, int)) else list(targets)  # type: ignore[arg-type]
        name = ", ".join(map(str, listed))
        short = name if len(name) <= 40 else name[:39] + "…"
        label = f"release {short} {strength:.2f}" if strength else f"anchor {short}"
        return self.edit(label, lambda scene: with_strength(scene, listed, strength))

    def _target(self, object_id: str, verb: str) -> tuple[str, str | int]:
        object_id = object_id or self.selected
        if not object_id:
            raise ValueError(f"nothing is selected to {verb}; click an object first, or give its id")
        return object_id, unmistakable(self.scene, object_id)

    def _adding(self, label: str, verb: Callable[[SceneLatent], SceneLatent]) -> SceneLatent:
        before = {view.id for view in self.scene.objects}
        scene = self.edit(label, verb)
        self.select(next(view.id for view in scene.objects if view.id not in before))
        return scene
