"""What was done in an editor, as the Python that does it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from anchorgen.scene.latent import SceneLatent

_IMPORT = "from anchorgen.scene import decode_argument"
_START, _BACK = "start = scene", "scene = start"


def step_code(before: SceneLatent, after: SceneLatent, label: str) -> str:
    """Code from `before`, called `scene`, to `after`; a remark where `after` does not come of it by verbs."""
    calls = _calls(before, after)
    if calls is None:
        return f"# {' '.join(label.split())}: a scene that does not come from the one before by verbs; set `scene` to it here"
    return "\n".join(f"scene = scene{call}" for call in calls)


def sampling_code(base: SceneLatent, free: SceneLatent, seed: int, index: int = 0) -> str:
    """Code that samples what `free` releases; the anchors stay those of `base`.

    A sample is drawn with `seed` + its number, however many are drawn: the code asks for just the one.
    """
    calls = _calls(base, free) or ()
    released = f"free = scene{''.join(calls)}\n" if calls else ""
    name = "free" if calls else "scene"
    return f"{released}scene = pipe.sample({name}, seed={seed + index})[0].replace(anchors=scene.anchors)"


def from_the_start(program: str, code: str) -> str:
    """`code` after `program`, which leads from the start to where `code` begins, wherever one is."""
    return "\n".join([_BACK, *(line for line in program.splitlines() if line not in (_IMPORT, _START)), code])


def joined_code(steps: Iterable[str]) -> str:
    """One program of many steps, with what it needs on top."""
    lines = [line for step in steps for line in step.splitlines()]
    imports = [_IMPORT] if any("decode_argument(" in line for line in lines) else []
    start = [_START] if _BACK in lines else []
    return "\n".join([*imports, *start, *lines]) + ("\n" if lines else "")


def _calls(before: SceneLatent, after: SceneLatent) -> list[str] | None:
    """The verbs between two scenes as calls, or None if the one is not made of the other."""
    walked: SceneLatent | None = after
    for _ in range(len(after.history) - len(before.history)):
        walked = walked.previous if walked is not None else None
    if walked is not before:
        return None
    new = dataclasses.replace(after, history=after.history[len(before.history) :], origin=before)
    lines = [line for line in new.to_python("scene").splitlines() if line and line != _IMPORT]
    return [line.removeprefix("scene = scene") for line in lines]
