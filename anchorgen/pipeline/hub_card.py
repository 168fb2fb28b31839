"""The README.md of a saved model, with the metadata that the Hugging Face hub reads: the folder can be uploaded as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from anchorgen.pipeline.config import PipelineConfig

TAGS = ("anchored-generation", "scene-latents", "scene-editing", "3d", "diffusion", "jupyter")


@dataclasses.dataclass(frozen=True)
class CardFacts:
    """Attributes:
    name: of the model. licence: an identifier of the hub, e.g. "apache-2.0" or "other".
    latent_space: of its scenes. categories: names that its objects can have.
    parameters: number of parameters by network.
    sizes: further rows, words by name.
    base_model: repository that it adapts, if any.
    """

    name: str
    licence: str
    latent_space: str
    categories: tuple[str, ...]
    parameters: Mapping[str, int]
    sizes: Mapping[str, Any]
    base_model: str | None = None


def card_facts(config: PipelineConfig, networks: Mapping[str, Any], licence: str) -> CardFacts:
    """What a pipeline's card says."""
    parameters = {name: _count(network) for name, network in networks.items()}
    d, side = config.decoder, config.image_size
    tokens = f"{d.num_tokens} x {d.channels} an object, {d.num_background} x {d.channels} for the background"
    sizes = {"pictures": f"{side} x {side} px", "slots": config.num_slots, "latents": tokens}
    base = getattr(d, "repository", "")
    base = None if not base or Path(base).exists() else base
    return CardFacts(config.name, licence, config.latent_space, config.categories, parameters, sizes, base)


def _count(network: Any) -> int:
    """Parameters of a network, or all values of a part of one."""
    values = network.parameters() if isinstance(network, nn.Module) else network.state_dict().values()
    return sum(value.numel() for value in values)


def card_text(facts: CardFacts) -> str:
    """Metadata and text of a card."""
    from huggingface_hub import ModelCardData

    metadata = ModelCardData(
        library_name="anchorgen",
        license=facts.licence,
        tags=list(TAGS),
        pipeline_tag="image-to-image",
        base_model=facts.base_model,
    )
    rows = [f"| {name} | {count:,} parameters |" for name, count in facts.parameters.items() if count]
    rows += [f"| {name} | {value} |" for name, value in facts.sizes.items()]
    return f"""---
{metadata.to_yaml()}
---

# {facts.name}

Encoder, decoder and prior of anchorgen: a picture becomes a set of 3D object latents, a camera and a background; edit them,
resample some with the rest anchored, and draw the new picture.

```python
import anchorgen as ag

pipe = ag.load("path/of/this/folder")
scene = pipe.encode("room.jpg")
picture = pipe.render(scene.remove("lamp"))
```

| | |
| --- | --- |
{chr(10).join(rows)}
| latent space | `{facts.latent_space}` |
| objects | {", ".join(facts.categories)} |

## Training data, figures, limits

Not recorded in this folder: say here what it was trained on, under which licences, and what was measured.
"""


def write_card(folder: Path, facts: CardFacts) -> None:
    """Writes `folder/README.md`, unless there is one, which its author may have changed."""
    path = folder / "README.md"
    if not path.exists():
        path.write_text(card_text(facts), encoding="utf-8")
