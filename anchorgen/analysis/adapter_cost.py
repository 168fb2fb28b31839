"""What the scene adapter adds to a step of its backbone: the same transformer with and without it, timed in turns."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from diffusers import Flux2Transformer2DModel

from anchorgen.decode.velocity import SceneVelocity
from anchorgen.scene.batch import SceneBatch

_WARM, _TURNS = 5, 40


@torch.no_grad()
def adapter_cost(velocity: SceneVelocity, scene: SceneBatch) -> dict[str, float]:
    """Times one step for one picture on the CPU. Keys and values of the scene are ready, as they are in `render`.

    Args:
        velocity: the network; it is copied and stays where it is.
        scene: of one picture.

    Returns:
        `adapter_overhead`: what the adapter adds, as a share of a step without it; `backbone_step_ms`: that step.

    Raises:
        ValueError: not one scene.
    """
    if len(scene) != 1:
        raise ValueError(f"got {len(scene)} scenes; expected 1: a step is timed for one picture")
    velocity, scene = copy.deepcopy(velocity).cpu().eval(), scene.to("cpu")
    context, drawn = velocity.context(scene)
    velocity.adapter.precompute(context)
    tokens = torch.randn(1, len(velocity.image_ids), velocity.config.output_channels)
    inputs = {
        "hidden_states": tokens if drawn is None else torch.cat([tokens, drawn], -1),
        "encoder_hidden_states": tokens.new_zeros(1, 0, velocity.config.channels),
        "timestep": torch.ones(1),
        "img_ids": velocity.image_ids,
        "txt_ids": velocity.image_ids[:0],
        "return_dict": False,
    }
    bare = bare_backbone(velocity)
    with_adapter, without = medians_in_turns(
        lambda: velocity.transformer(**inputs, joint_attention_kwargs={"scene": context}), lambda: bare(**inputs)
    )
    return {"adapter_overhead": with_adapter / without - 1, "backbone_step_ms": 1000 * without}


def bare_backbone(velocity: SceneVelocity) -> Flux2Transformer2DModel:
    """The transformer with the same weights and diffusers' own attention processors: no adapter in it."""
    bare: Any = Flux2Transformer2DModel.from_config(velocity.transformer.config)
    own = {name: value for name, value in velocity.transformer.state_dict().items() if ".processor." not in name}
    bare.load_state_dict(own)
    return bare.eval()


def medians_in_turns(
    first: Callable[[], Any], second: Callable[[], Any], turns: int = _TURNS, warm: int = _WARM
) -> tuple[float, float]:
    """Median seconds of two calls, made in turns so that a busy machine slows both alike; the first are not counted."""
    seconds: list[list[float]] = [[], []]
    for _ in range(warm + turns):
        for call, row in zip((first, second), seconds, strict=True):
            started = time.perf_counter()
            call()
            row.append(time.perf_counter() - started)
    return float(np.median(seconds[0][warm:])), float(np.median(seconds[1][warm:]))
