"""The paper's decoder: FLUX.2-klein-base-4B with the scene adapter behind the same calls as the bundled one.

decoder = Flux2KleinDecoder.from_pretrained(KleinConfig())        # downloads once; no text encoder at run time
load_adapter(decoder.velocity, "runs/flux2/adapter.safetensors")
decoder.use(MemoryPlan(fp8=True), "cuda")                         # or decoder.to("cuda")
pictures = decoder.render(scene_batch, seeds=[0], steps=28, guidance=2.0)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from anchorgen.decode.autoencoder import AutoencoderConfig
from anchorgen.decode.decoder import FlowSceneDecoder
from anchorgen.decode.flow import Callback
from anchorgen.decode.flux2_adapter_file import AdapterWeights
from anchorgen.decode.flux2_config import KleinConfig, flux2_shift
from anchorgen.decode.flux2_errors import explained, needed
from anchorgen.decode.flux2_load import KleinParts, load_parts, random_parts
from anchorgen.decode.flux2_lora import LORA_WEIGHTS, BackboneWeights, LoraWeights, add_lora
from anchorgen.decode.flux2_memory import MemoryPlan, apply_plan
from anchorgen.decode.flux2_prompt import empty_prompt
from anchorgen.decode.flux2_velocity import KleinVelocity
from anchorgen.scene.batch import SceneBatch


class Flux2KleinDecoder(FlowSceneDecoder):
    """A `SceneDecoder` around the real classes: transformer, autoencoder and scheduler of FLUX.2-klein.

    Attributes:
        autoencoder: FLUX.2's own, by the code path of the bundled one.
        velocity: backbone, adapter and scene tokens.
        scheduler: the repository's; it says how times are moved towards noise.
    """

    velocity: KleinVelocity

    def __init__(self, parts: KleinParts):
        velocity = KleinVelocity(parts.config, parts.transformer)
        for processor in velocity.adapter.processors.values():
            processor.to(parts.config.torch_dtype)
        if parts.config.lora_rank:
            add_lora(velocity, parts.config.lora_rank)
        super().__init__(parts.autoencoder, velocity)  # type: ignore[arg-type]
        self.scheduler: FlowMatchEulerDiscreteScheduler = parts.scheduler

    @staticmethod
    def from_pretrained(
        config: KleinConfig | None = None,
        transformer_folder: str | Path | None = None,
        prompt_cache: Path | None = None,
        with_prompt: bool = True,
    ) -> Flux2KleinDecoder:
        """Weights from the hub or a folder, on the CPU; adapter and LoRA layers are new and add nothing yet.

        Args:
            config: repository and sizes; default the paper's.
            transformer_folder: a fully trained transformer in place of the repository's; if the settings say that there is
                one (`own_transformer`) and it is not given, all its weights are zero, to be filled from a file.
            prompt_cache: where the empty prompt's embedding is kept.
            with_prompt: False leaves that embedding zero, to be filled from a file.

        Raises:
            BackboneError: something is missing; the message says what and what to do.
        """
        config = config or KleinConfig()
        decoder = Flux2KleinDecoder(load_parts(config, transformer_folder))
        if with_prompt:
            decoder.velocity.prompt.embedding.copy_(empty_prompt(decoder.velocity.config, prompt_cache))
        return decoder.eval()

    @staticmethod
    def random(config: KleinConfig, autoencoder: AutoencoderConfig) -> Flux2KleinDecoder:
        """The same classes with random weights."""
        return Flux2KleinDecoder(random_parts(config, autoencoder))

    def use(self, plan: MemoryPlan, device: str | torch.device) -> Flux2KleinDecoder:
        """Puts everything where it will run, as the plan says; returns itself."""
        apply_plan(self.velocity, plan, device)
        with explained("placing the autoencoder"):
            self.autoencoder.to(device)
        return self

    def shift(self, steps: int) -> float:
        """As the scheduler moves times; a dynamic one by FLUX.2's own mu."""
        if self.scheduler.config["use_dynamic_shifting"]:
            return flux2_shift(self.velocity.config.grid**2, steps)
        return float(self.scheduler.config["shift"])

    def weight_files(self) -> dict[str, Any]:
        """What is this model's own. A backbone that was not trained stays where it came from."""
        files: dict[str, Any] = {"adapter": AdapterWeights(self.velocity), "prompt": self.velocity.prompt}
        if self.velocity.config.lora_rank:
            files[LORA_WEIGHTS] = LoraWeights(self.velocity)
        if self.velocity.config.own_transformer:
            files["transformer"] = BackboneWeights(self.velocity)
        return files

    def render(
        self,
        scene: SceneBatch,
        seeds: Sequence[int],
        steps: int = 28,
        guidance: float = 1.0,
        method: str = "euler",
        callback: Callback | None = None,
    ) -> torch.Tensor:
        """As `FlowSceneDecoder.render`; guidance leads away from the picture of no scene.

        Raises:
            BackboneError: the GPU's memory is full, or it cannot be used; the message says what to do.
        """
        with explained("drawing a picture"):
            return super().render(scene, seeds, steps, guidance, method, callback)

    # -- the stock pipeline -------------------------------------------------------------------------------------------

    def stock_pipeline(self) -> Any:
        """diffusers' `Flux2KleinPipeline` around these very networks, without a text encoder."""
        needed("transformers", "diffusers' Flux2KleinPipeline")
        from diffusers import Flux2KleinPipeline

        # None is what its own `from_pretrained(..., text_encoder=None, tokenizer=None)` passes.
        nothing: Any = None
        return Flux2KleinPipeline(self.scheduler, self.autoencoder.vae, nothing, nothing, self.velocity.transformer)

    @torch.no_grad()
    def stock_arguments(self, scene: SceneBatch, seeds: Sequence[int]) -> dict[str, Any]:
        """What the stock pipeline is called with to draw these scenes: `pipe(**arguments, num_inference_steps=28)`.

        The scene goes in by `attention_kwargs`. The pipeline's own guidance is on text, of which there is none, so it
        is off; guidance on the scene needs `render`.
        """
        context, _ = self.velocity.context(scene)
        self.velocity.prepare(context)
        prompt = self.velocity.prompt.embedding.expand(len(scene), -1, -1).to(self.velocity.dtype)
        return {
            "prompt_embeds": prompt,
            "latents": self.noise(seeds),
            "height": self.image_size,
            "width": self.image_size,
            "guidance_scale": 1.0,
            "attention_kwargs": {"scene": context},
        }
