"""Puts trained networks and example rooms into one pretrained folder: `python -m anchorgen train bundle --runs DIR`."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from PIL import Image
from safetensors.torch import load_file

from anchorgen.data.splits import EXAMPLE_SEED
from anchorgen.encode.bundled import BundledEncoder, EncoderConfig
from anchorgen.pipeline.config import PipelineConfig
from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.prior import PriorConfig, ScenePrior
from anchorgen.train.run_record import read_run_records
from anchorgen.train.run_settings import load_autoencoder, read_decoder_settings
from anchorgen.world.catalogue import CATEGORIES
from anchorgen.world.checks import impossibilities
from anchorgen.world.counterfactuals import counterfactual
from anchorgen.world.edits import apply_edit
from anchorgen.world.rooms import sample_scene
from anchorgen.world.truth import slot_instances, truth_slots, world_truth
from anchorgen.world.types import WorldScene


@dataclass(frozen=True)
class Bundle:
    """Attributes:
    runs: folder with `vae/`, `decoder/`, `prior/` and `encoder/`, each as its trainer left it.
    out: the pretrained folder to write.
    steps, draft_steps, guidance: of pictures, chosen on validation rooms: guidance sharpens, and costs PSNR.
    num_examples: held-out rooms with a lit lamp, a nightstand and a chair; spp: samples a pixel of their pictures.
    """

    runs: Path
    out: Path = Path("anchorgen/pretrained/bedrooms-128")
    num_examples: int = 6
    spp: int = 256
    steps: int = 4
    draft_steps: int = 1
    guidance: float = 1.5


def assemble(config: Bundle) -> AnchorgenPipeline:
    """The pipeline of the runs' weights."""
    prior = ScenePrior.load(config.runs / "prior" / "prior.safetensors")
    encoder = json.loads((config.runs / "encoder" / "encoder.json").read_text())
    autoencoder, decoder = load_autoencoder(config.runs / "vae"), read_decoder_settings(config.runs / "decoder")
    settings = PipelineConfig(
        name=config.out.name,
        categories=CATEGORIES,
        steps=config.steps,
        draft_steps=config.draft_steps,
        guidance=config.guidance,
        autoencoder=autoencoder.config,
        decoder=decoder,
        background_patch=decoder.background_patch,
        prior=_plain(prior.config),
        encoder=encoder,
    )
    pipe = AnchorgenPipeline.from_config(settings)
    pipe.decoder.autoencoder.load_state_dict(autoencoder.state_dict())
    pipe.decoder.velocity.load_state_dict(load_file(config.runs / "decoder" / "decoder.safetensors"))
    pipe.tokens.load_state_dict(load_file(config.runs / "decoder" / "tokens.safetensors"))
    network = BundledEncoder.from_config(encoder)
    network.load_state_dict(load_file(config.runs / "encoder" / "encoder.safetensors"))
    settings = dataclasses.replace(settings, latent_space="")
    return AnchorgenPipeline(settings, pipe.tokens, pipe.decoder, prior, network)


def check_latent_space(records: dict[str, dict[str, Any]]) -> None:
    """Raises ValueError unless decoder, prior and encoder were trained on the same pooling and background networks."""
    spaces = {name: records[name]["latent_space"] for name in ("decoder", "prior", "encoder")}
    if len(set(spaces.values())) > 1 or not all(spaces.values()):
        raise ValueError(f"the runs are of latent spaces {spaces}; train prior and encoder on the decoder's own tokens")


def example_rooms(count: int) -> list[tuple[WorldScene, list[dict[str, Any]]]]:
    """Rooms past every split, with an edit that is possible: the lit lamp goes, the nightstand steps aside."""
    rooms, seed = [], EXAMPLE_SEED
    while len(rooms) < count:
        scene = sample_scene(seed)
        seed += 1
        edit = _edit_of(scene)
        if edit is not None:
            rooms.append((scene, edit))
    return rooms


def _edit_of(scene: WorldScene) -> list[dict[str, Any]] | None:
    kinds = [o.category for o in scene.objects]
    lamp = next((o.id for o in scene.objects if o.category == "table lamp" and o.lit), None)
    if lamp is None or "chair" not in kinds or "bed" not in kinds or len(kinds) < 6:
        return None
    known = set(impossibilities(scene))
    for stand in (o.id for o in scene.objects if o.category == "nightstand"):
        for right in (0.35, -0.35):
            edits = [{"verb": "remove", "id": lamp}, {"verb": "move", "id": stand, "right": right}]
            edited = scene
            for edit in edits:
                edited = apply_edit(edited, edit)
            if set(impossibilities(edited)) <= known:
                return edits
    return None


def write_examples(pipe: AnchorgenPipeline, config: Bundle) -> None:
    """Pictures, true latents and true edits of the example rooms."""
    folder = config.out / "examples"
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for scene, edit in example_rooms(3 * config.num_examples):
        pair = counterfactual(scene, edit, pipe.image_size, config.spp)
        slots = truth_slots(scene, pair.before.instance)
        truth = world_truth(scene, pair.before.instance)
        if not {e["id"] for e in edit} <= set(truth.ids) or "chair" not in truth.labels:
            continue  # what is edited must show
        name = f"room-{scene.seed}"
        latents = pipe.latents(truth, pair.before.image, slot_instances(pair.before.instance, slots))
        latents.save(folder / f"{name}.safetensors")
        _save_picture(pair.before.image, folder / f"{name}.webp")
        _save_picture(pair.after.image, folder / f"{name}.edited.webp")
        facts = {"world": scene.to_json(), "edit": edit, "spp": config.spp}
        (folder / f"{name}.json").write_text(json.dumps(facts) + "\n")
        written += 1
        if written == config.num_examples:
            return


def _save_picture(image: np.ndarray, path: Path) -> None:
    Image.fromarray(image).save(path, "WEBP", lossless=True, quality=100, method=6)


def _plain(config: PriorConfig | EncoderConfig) -> dict[str, Any]:
    return json.loads(json.dumps(dataclasses.asdict(config)))


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(Bundle, args=argv)
    records = read_run_records(config.runs, ("vae", "decoder", "prior", "encoder"))
    check_latent_space(records)
    pipe = assemble(config)
    pipe.save_pretrained(config.out)
    (config.out / "training.json").write_text(json.dumps(records, indent=1) + "\n")
    write_examples(AnchorgenPipeline.from_pretrained(config.out, "cpu"), config)
    size = sum(f.stat().st_size for f in config.out.rglob("*") if f.is_file()) / 1e6
    print(f"wrote {config.out}: {size:.1f} MB, latent space {pipe.latent_space}")
