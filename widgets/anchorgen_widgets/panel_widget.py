"""`PanelWidget`: what the small widgets beside the picture share: requests of the front end, and how one is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from anchorgen.scene.latent import SceneLatent


class PanelWidget(anywidget.AnyWidget):
    """Shows a state that Python owns, and asks Python to change it; it never changes the scene itself.

    A handler that raises is answered in the widget: what a callback raises is otherwise invisible in a notebook.

    Attributes:
        settled: counts the answers of Python; a change makes the front end show the state as it is.
        problem: why the last request was refused, shown in the widget; "" if it was not.
    """

    settled = traitlets.Int(0).tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)

    def __init__(self, **values: Any):
        self._handlers: dict[str, list[Callable[..., None]]] = {}
        super().__init__(**values)
        self.on_msg(self._receive)

    def _listen(self, event: str, handler: Callable[..., None]) -> None:
        self._handlers.setdefault(event, []).append(handler)

    def _tell(self, event: str, *values: Any) -> None:
        for handler in self._handlers.get(event, ()):
            handler(*values)

    def _receive(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        self._answer(message, lambda: self._take(message))

    def _answer(self, message: dict[str, Any], action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            self._refuse(message, error)
        else:
            self.problem = ""

    def _take(self, message: dict[str, Any]) -> None:
        """Acts on one request of the front end."""
        raise NotImplementedError

    def _refuse(self, message: dict[str, Any], error: Exception) -> None:
        self.problem = str(error) or type(error).__name__
        self._settle()

    def _settle(self) -> None:
        self.set_trait("settled", self.settled + 1)


def check_scene(scene: object, widget: str) -> None:
    """Raises TypeError unless `scene` is a SceneLatent."""
    if not isinstance(scene, SceneLatent):
        raise TypeError(
            f"{widget} shows a SceneLatent, got {type(scene).__name__}: encode the picture first, "
            "`scene = pipe.encode(picture)`"
        )
