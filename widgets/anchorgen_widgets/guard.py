"""`GuardedWidget`: what a handler of a widget raises is shown under the widget, where it would otherwise vanish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

Handler = Callable[..., Any]


class GuardedWidget(anywidget.AnyWidget):
    """A widget with handlers. An owner that shows errors its own way registers handlers that never raise.

    Attributes:
        error: what a handler raised last, as text; "" after one that worked. Shown under the widget, to be dismissed.
        last_error: the exception itself, with its traceback.
    """

    error = traitlets.Unicode("").tag(sync=True)

    def __init__(self, **values: Any):
        self.last_error: Exception | None = None
        self._handlers: dict[str, list[Handler]] = {}
        super().__init__(**values)
        self.on_msg(self._on_message)

    def close(self) -> None:
        """Takes the widget off the page and forgets its handlers."""
        self._handlers = {}
        super().close()

    def _add_handler(self, event: str, handler: Handler) -> None:
        if not callable(handler):
            raise TypeError(f"on_{event} was given {type(handler).__name__}; expected a function to call")
        self._handlers.setdefault(event, []).append(handler)

    def _tell(self, event: str, *values: Any) -> bool:
        """Calls every handler of the event; shows the first exception and returns False if there was one."""
        failures = []
        for handler in tuple(self._handlers.get(event, ())):
            try:
                handler(*values)
            except Exception as error:  # one handler must not stop the others
                failures.append(error)
        self._show_error(failures[0] if failures else None)
        return not failures

    def _show_error(self, error: Exception | None) -> None:
        self.last_error = error
        self.error = "" if error is None else f"{type(error).__name__}: {error or 'no details were given'}"

    def _receive(self, content: dict[str, Any]) -> None:
        """Takes a message of the front end; for subclasses."""

    def _on_message(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        try:
            self._receive(content)
        except Exception as error:  # no one else would see it
            self._show_error(error)
