"""The main job in one picture: `python -m anchorgen demo` writes source, reconstruction, edit, truth and a variation."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import tyro

from anchorgen.analysis.figures import picture_grid
from anchorgen.pipeline import examples, load
from anchorgen.pipeline.examples import Example
from anchorgen.scene.latent import SceneLatent


@dataclass(frozen=True)
class Demo:
    """Attributes:
    out: the PNG to write.
    model: a bundled model or a folder of one.
    example: name of a bundled room; by default the one that the encoder reads best, with the objects of its edit and a chair.
    seed: of the picture's noise and of the resampled chair.
    """

    out: Path = Path("out/demo.png")
    model: str = "bedrooms-128"
    example: str | None = None
    seed: int = 0


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(Demo, args=argv)
    started = time.perf_counter()
    pipe = load(config.model)
    print(f"loaded {config.model} on {pipe.device} in {time.perf_counter() - started:.1f} s")
    example, scene = _choose(pipe, config)
    edited = apply_example_edit(scene, example)
    chair = (
        edited.release(["chair.layout", "chair.appearance"], strength=0.6)
        if "chair" in edited
        else edited.release("bed.appearance")
    )
    print("\n".join(f"  {step.verb} {step.arguments}" for step in edited.history))
    clock = time.perf_counter()
    varied = pipe.sample(chair, seed=config.seed)[0]
    sampled = time.perf_counter() - clock
    clock = time.perf_counter()
    reconstruction, after, variation = pipe.render([scene, edited, varied], seed=config.seed)
    print(
        f"sampled one scene in {sampled:.2f} s, drew 3 pictures ({pipe.config.steps} steps) in {time.perf_counter() - clock:.2f} s"
    )
    resampled = "chair resampled" if "chair" in edited else "bedding resampled"
    titles = ["source", "encoded, decoded", "edited latents", "true edit (path-traced)", resampled]
    pictures = [example.image, reconstruction, after, example.edited_image, variation]
    figure = picture_grid([pictures], titles=titles, cell_inch=2.2)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(config.out)
    print(f"wrote {config.out}: {describe_edit(example)}")


def _choose(pipe, config: Demo) -> tuple[Example, SceneLatent]:
    """An example and its encoded scene, in which the objects to edit were found."""
    rooms = examples(config.model if not Path(config.model).is_dir() else "bedrooms-128")
    named = [room for room in rooms if config.example in (None, room.name)]
    if not named:
        raise SystemExit(f"no example {config.example!r}; there are {[room.name for room in rooms]}")
    encoded = [(room, pipe.encode(room.image)) for room in named]
    for more in ({"chair"}, set()):  # the chair is to be resampled
        usable = [(r, s) for r, s in encoded if {_label(edit["id"]) for edit in r.edit} | more <= set(_labels(s))]
        if usable:
            return min(usable, key=lambda pair: _misread(*pair))
    print("the encoder missed an object to edit in every example; going on with the true latents of the first")
    return named[0], named[0].scene


def _labels(scene: SceneLatent) -> Counter[str]:
    return Counter(view.label for view in scene.objects)


def _misread(room: Example, scene: SceneLatent) -> int:
    """How many objects were missed or invented, by label."""
    true, found = _labels(room.scene), _labels(scene)
    return ((true - found) + (found - true)).total()


def apply_example_edit(scene: SceneLatent, example: Example) -> SceneLatent:
    """The example's edit on a scene of the same picture: each object is the one nearest to the world's own."""
    truth = example.scene
    for edit in example.edit:
        target = truth.object(edit["id"])
        label = _label(edit["id"])
        rivals = [o for o in scene.objects if o.label == label]
        if not rivals:
            raise SystemExit(f"the scene has no {label}; there are {sorted({o.label for o in scene.objects})}")
        nearest = min(rivals, key=lambda o: float(((o.translation - target.translation) ** 2).sum()))
        arguments = {k: v for k, v in edit.items() if k not in ("verb", "id")}
        scene = getattr(scene, edit["verb"])(nearest.index, **arguments)
    return scene


def describe_edit(example: Example) -> str:
    """E.g. "table lamp-0 removed, nightstand-0 moved (right +0.35)"."""
    words = []
    for edit in example.edit:
        how = ", ".join(f"{k} {v:+g}" for k, v in edit.items() if k not in ("verb", "id"))
        words.append(f"{edit['id']}: {edit['verb']}" + (f" ({how})" if how else ""))
    return "; ".join(words)


def _label(identifier: str) -> str:
    return identifier.rpartition("-")[0]
