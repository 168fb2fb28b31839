"""What an editor leaves behind: the picture, the scene, and a page of HTML that needs nothing but a browser."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Literal

from PIL import Image

from anchorgen_widgets.session import EditorSession

ExportKind = Literal["picture", "scene", "page"]
SUFFIXES: dict[ExportKind, str] = {"picture": ".png", "scene": ".safetensors", "page": ".html"}
_THUMBNAIL_PX = 112

_STYLE = """
body { margin: 2rem auto; max-width: 960px; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif;
  color-scheme: light dark; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
img { border-radius: 4px; } .main { width: min(100%, 512px); image-rendering: auto; }
.steps { display: flex; flex-wrap: wrap; gap: 12px; } figure { margin: 0; width: 112px; }
figure img, .none { width: 112px; height: 112px; object-fit: cover; } .none { background: rgba(128,128,128,.2);
  border-radius: 4px; }
figcaption { font-size: 12px; opacity: .8; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .7rem 1rem; background: rgba(128,128,128,.12); border-radius: 4px; }
"""


def export(session: EditorSession, kind: ExportKind, stem: str | Path) -> Path:
    """Writes one file, and never over another: `room-2.png` where `room.png` is there.

    Args:
        session: what to write.
        kind: "picture" (PNG), "scene" (`SceneLatent.load` reads it) or "page" (HTML).
        stem: path without its ending, relative to the kernel's folder.

    Returns:
        The path written.

    Raises:
        ValueError: an empty name, or no picture is there yet.
        OSError: the folder is not there or cannot be written to.
    """
    if not str(stem).strip():
        raise ValueError("no name to save under; write one beside the buttons, such as 'room'")
    if kind not in SUFFIXES:
        raise ValueError(f"cannot save a {kind!r}; expected one of: {', '.join(SUFFIXES)}")
    folder = Path(str(stem).strip()).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {str(folder)!r} to save in; make it first, or choose another name")
    path = _free(Path(f"{str(stem).strip()}{SUFFIXES[kind]}"))
    writers: dict[ExportKind, Callable[[], object]] = {
        "picture": lambda: _picture(session).save(path),
        "scene": lambda: session.scene.save(path),
        "page": lambda: path.write_text(session_html(session), encoding="utf-8"),
    }
    writers[kind]()
    return path


def session_html(session: EditorSession) -> str:
    """A page with the picture, the boxes, the steps that led here and their code; it loads nothing."""
    with session.lock:
        picture, scene, code = _picture(session), session.scene, session.to_python()
        states = [(s.label, session.picture_of(s.scene)) for s in session.steps.states[: session.steps.at + 1]]
    steps = "".join(
        f"<figure>{_thumbnail(image)}<figcaption>{number}. {escape(label)}</figcaption></figure>"
        for number, (label, image) in enumerate(states)
    )
    script = escape(f"# scene: the start, pipe: the model\n{code}" if code else "# nothing was done yet\n")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{len(states) - 1} edits of a room</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{scene.num_objects} objects, {len(states) - 1} steps</h1>{_image(picture, 'main', 512)}"
        f"<h2>Boxes</h2>{scene._repr_html_()}<h2>Steps</h2><div class=steps>{steps}</div>"
        f"<h2>The same in Python</h2><pre>{script}</pre></body></html>"
    )


def _free(path: Path) -> Path:
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(2))
    return next(one for one in itertools.chain([path], numbered) if not one.exists())


def _picture(session: EditorSession) -> Image.Image:
    drawer = session.drawer
    picture = session.picture_of(session.scene) or (drawer.finished if drawer.shown is session.scene else None)
    if picture is None:
        raise ValueError("no picture of this scene is drawn yet; wait until it is, or see whether drawing has failed")
    return picture


def _thumbnail(picture: Image.Image | None) -> str:
    return '<div class="none"></div>' if picture is None else _image(picture, "step", _THUMBNAIL_PX)


def _image(picture: Image.Image, style: str, side_px: int) -> str:
    buffer = io.BytesIO()
    small = picture.convert("RGB")
    if max(small.size) > side_px:
        small.thumbnail((side_px, side_px))
    small.save(buffer, "png")
    return f'<img class="{style}" alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
