"""`StepPictures`: draws, when nothing else is to be drawn, the steps that were left before their picture was there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from anchorgen_widgets.undo_stack import EditState

if TYPE_CHECKING:
    from anchorgen_widgets.session import EditorSession


class StepPictures:
    """Works for an `EditorSession`; every method is called with the session's lock held."""

    def __init__(self, session: EditorSession):
        self._session = session

    def draw_next(self) -> bool:
        """Asks for the picture of a step without one; False if all have theirs."""
        session = self._session
        for number, state in enumerate(session.steps.states):
            if not state.pictured and session.picture_of(state.scene) is None:
                session.drawer.draw_behind(state.scene, lambda got, at=number, of=state: self._settle(at, of, got))
                return True
            state.pictured = True
        return False

    def stop_drawing(self) -> None:
        """Leaves those without a picture as they are."""
        for state in self._session.steps.states:
            state.pictured = True

    def _settle(self, number: int, state: EditState, got: Image.Image | Exception) -> None:
        state.pictured = True  # also where it failed: that was said when it was the scene
        if isinstance(got, Image.Image):
            self._session._tell("step", step=number)
