"""Saving from the editor: pictures, scenes and pages, none over another."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fake_pipeline import drawn
from PIL import Image

from anchorgen.scene.latent import SceneLatent
from anchorgen_widgets.export import export, session_html
from anchorgen_widgets.session import EditorSession


def _drawn_session(session: EditorSession) -> EditorSession:
    session.render()
    drawn(session)
    session.edit("move <the bed>", lambda scene: scene.move("bed", right=0.2))
    return drawn(session)


def test_files_hold_what_is_shown_and_never_replace_others(session: EditorSession, tmp_path: Path) -> None:
    _drawn_session(session)
    stem = tmp_path / "room"
    assert [export(session, "picture", stem).name for _ in range(3)] == ["room.png", "room-2.png", "room-3.png"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "room.png")), np.asarray(session.image))
    again = SceneLatent.load(export(session, "scene", stem))
    assert again.equals(session.scene) and again.history == session.scene.history
    assert export(session, "page", stem).read_text() == session_html(session)


def test_a_page_is_whole_and_asks_nobody(session: EditorSession) -> None:
    page = session_html(_drawn_session(session))
    assert "move &lt;the bed&gt;" in page and "<the bed>" not in page
    assert "scene.move(&#x27;bed&#x27;, right=0.2)" in page
    assert page.count("<figure>") == 2 and page.count("data:image/png") == 3
    assert not re.search(r"(src|href)=(?![\"']?data:)", page)
    open_tags: list[str] = []

    class Balanced(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "img", "circle", "line", "polygon"):
                open_tags.append(tag)

        def handle_endtag(self, tag):
            if tag in open_tags[-1:]:
                open_tags.pop()

    Balanced().feed(page)
    assert open_tags == []


def test_an_older_picture_is_never_saved_for_a_newer_scene(session: EditorSession, tmp_path: Path) -> None:
    _drawn_session(session)
    session.pipe.step_s = 0.2
    session.edit("remove", lambda scene: scene.remove("bed"))
    with pytest.raises(ValueError, match="no picture of this scene"):
        export(session, "picture", tmp_path / "room")
    drawn(session)
    export(session, "picture", tmp_path / "room")


def test_what_cannot_be_saved_says_why(session: EditorSession, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no picture of this scene is drawn yet"):
        export(session, "picture", tmp_path / "room")
    with pytest.raises(ValueError, match="no name to save under"):
        export(session, "scene", " ")
    with pytest.raises(ValueError, match="expected one of: picture, scene, page"):
        export(session, "movie", tmp_path / "room")
    with pytest.raises(FileNotFoundError):
        export(session, "scene", tmp_path / "nowhere" / "room")
    assert list(tmp_path.iterdir()) == []
