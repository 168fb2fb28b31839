"""`PictureStore`: many thumbnails on the page, each sent once.

A synced dict of all of them would be sent whole on every change. So the dict is filled in place, without telling the
page, and the page gets each new picture as a message of its own. A page that loads anew asks for the widget's state and
finds the dict whole; a view whose code was still loading while messages went by asks for what it lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import traitlets

from anchorgen_widgets.guard import GuardedWidget


class PictureStore(GuardedWidget):
    """The part of a widget that holds thumbnails by key.

    Attributes:
        thumbnails: encoded pictures by key; change it only through the widget's methods.
    """

    # Copied: the page may ask for it while a render thread adds to it.
    thumbnails = traitlets.Dict().tag(sync=True, to_json=lambda value, _widget: dict(value))

    def _add_pictures(self, pictures: Mapping[str, bytes]) -> None:
        """Stores pictures and sends them, those alone, in one message."""
        if pictures:
            self.thumbnails.update(pictures)
            self._send_pictures(pictures)

    def _keep_pictures(self, keys: Iterable[str]) -> None:
        """Forgets all other pictures; the page does the same when it hears of the new keys."""
        for gone in set(self.thumbnails) - set(keys):
            del self.thumbnails[gone]

    def _send_pictures(self, pictures: Mapping[str, bytes]) -> None:
        self.send({"type": "thumbnails", "keys": list(pictures)}, list(pictures.values()))

    def _receive(self, content: dict[str, Any]) -> None:
        if content.get("type") == "want":
            asked = {key: self.thumbnails.get(key) for key in content["keys"]}
            found = {key: picture for key, picture in asked.items() if picture is not None}
            if found:
                self._send_pictures(found)
