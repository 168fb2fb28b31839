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
        error: what handlers raised, a line per event whose handlers failed when it came last; "" if none did. It is
            shown under the widget until it is dismissed.
        last_error: the newest of these exceptions, with its traceback, or None.
    """

    error = traitlets.Unicode("").tag(sync=True)

    def __init__(self, **values: Any):
        self._failures: dict[str, Exception] = {}
        self._handlers: dict[str, list[Handler]] = {}
        super().__init__(**values)
        self.on_msg(self._on_message)

    @property
    def last_error(self) -> Exception | None:
        return next(reversed(self._failures.values()), None)

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
        failure = None
        for handler in tuple(self._handlers.get(event, ())):
            try:
                handler(*values)
            except Exception as error:  # one handler must not stop the others
                failure = failure or error
        self._note_outcome(event, failure)
        return failure is None

    def _note_outcome(self, event: str, failure: Exception | None) -> None:
        # An event that works clears its own error only: a preview that ends must not take away why a click failed.
        self._failures.pop(event, None)
        if failure is not None:
            self._failures[event] = failure
        self.error = "\n".join(_as_line(error) for error in self._failures.values())

    @traitlets.observe("error")
    def _on_dismissed(self, change: Any) -> None:
        if not change["new"]:
            self._failures.clear()

    def _receive(self, content: dict[str, Any]) -> None:
        """Takes a message of the front end; for subclasses."""

    def _on_message(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        try:
            self._receive(content)
        except Exception as error:  # no one else would see it
            self._note_outcome("message", error)


def _as_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error) or 'no details were given'}"
