"""`python -m anchorgen bench decoder`: does the decoder draw held-out rooms, and do boxes steer it?"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from anchorgen.analysis.held_out import TruePair, test_records, true_moves
from anchorgen.analysis.metrics import laplacian_energy, mean_and_interval, mse, psnr, ssim
from anchorgen.data.cache import split_folder
from anchorgen.data.records import Record
from anchorgen.data.shards import read_records
from anchorgen.pipeline.pipeline import AnchorgenPipeline, load
from anchorgen.scene.latent import SceneLatent

_SEEDS = (0, 1, 2)


def run(quick: bool = False) -> dict[str, Any]:
    """Figures over held-out test rooms with true latents, means over three noise seeds (one if quick)."""
    num_rooms, num_moves = (12, 8) if quick else (100, 100)
    records = test_records(num_rooms)
    pipe, seeds = load(), _SEEDS[:1] if quick else _SEEDS
    figures: dict[str, Any] = {"rooms": len(records), "noise_seeds": len(seeds), "steps": pipe.config.steps}
    figures |= {"draft_steps": pipe.config.draft_steps, "guidance": pipe.config.guidance}
    figures |= reconstruction(pipe, records, seeds)
    figures |= steering(pipe, true_moves(test_records(num_rooms if quick else 128), num_moves), seeds)
    return figures | timing(pipe, records[:4])


def reconstruction(pipe: AnchorgenPipeline, records: list[Record], seeds: tuple[int, ...]) -> dict[str, Any]:
    """D(true latents) against the picture, beside the mean training picture and the autoencoder alone."""
    mean_picture = training_mean(pipe)
    rows: dict[str, list[float]] = {k: [] for k in ("recon", "draft", "mean", "vae", "ssim", "laplacian")}
    for record in tqdm(records, desc="reconstruction"):
        scene, truth = pipe.latents(record.truth, record.image, record.instance), record.image
        pictures = [pipe.render(scene, seed=s) for s in seeds]
        rows["recon"].append(float(np.mean([psnr(p, truth) for p in pictures])))
        rows["ssim"].append(float(np.mean([ssim(p, truth) for p in pictures])))
        rows["laplacian"].append(float(np.mean([laplacian_energy(p) for p in pictures])) / laplacian_energy(truth))
        rows["draft"].append(float(np.mean([psnr(pipe.render(scene, seed=s, draft=True), truth) for s in seeds])))
        rows["mean"].append(psnr(mean_picture, truth))
        rows["vae"].append(psnr(autoencoded(pipe, truth), truth))
    names = {"recon": "recon_psnr_db", "draft": "draft_psnr_db", "mean": "mean_picture_psnr_db", "vae": "vae_psnr_db"}
    names |= {"ssim": "recon_ssim", "laplacian": "laplacian_ratio"}
    out = {}
    for key, name in names.items():
        out[name], out[f"{name}_ci95"] = mean_and_interval(rows[key])
    return out | {"gain_over_mean_picture_db": out["recon_psnr_db"] - out["mean_picture_psnr_db"]}


def steering(pipe: AnchorgenPipeline, pairs: list[TruePair], seeds: tuple[int, ...]) -> dict[str, Any]:
    """Moves of 0.5 m: inside the influence mask, is D(moved) closer to the true after-picture than D(unmoved)?"""
    rows: dict[str, list[float]] = {k: [] for k in ("closer", "gain", "gap", "collateral")}
    narrow = 0
    for pair in tqdm(pairs, desc="steering"):
        scene, after = _true_scenes(pipe, pair)
        mask = pair.influence
        moved, still, floor = ([pipe.render(x, seed=s) for s in seeds] for x in (edited(scene, pair), scene, after))
        error = {
            name: float(np.mean([mse(p, pair.after, mask) for p in ps]))
            for name, ps in (("moved", moved), ("still", still), ("floor", floor))
        }
        rows["closer"].append(float(error["moved"] < error["still"]))
        rows["gain"].append(10 * np.log10(error["still"] / error["moved"]))
        rows["gap"].append(10 * np.log10(error["moved"] / error["floor"]))
        if (~mask).mean() >= 0.15:
            rows["collateral"].append(float(np.mean([psnr(a, b, ~mask) for a, b in zip(moved, still, strict=True)])))
        else:
            narrow += 1
    out: dict[str, Any] = {"moves": len(pairs), "moves_without_outside": narrow}
    for key, name in (
        ("closer", "steer_share"),
        ("gain", "edit_gain_db"),
        ("gap", "edit_gap_db"),
        ("collateral", "collateral_psnr_db"),
    ):
        out[name], out[f"{name}_ci95"] = mean_and_interval(rows[key])
    return out


def edited(scene: SceneLatent, pair: TruePair) -> SceneLatent:
    """The scene with the pair's edit made in its latents."""
    arguments = {k: v for k, v in pair.edit.items() if k not in ("verb", "id")}
    return getattr(scene, pair.edit["verb"])(pair.edit["id"], **arguments)


def _true_scenes(pipe: AnchorgenPipeline, pair: TruePair) -> tuple[SceneLatent, SceneLatent]:
    """True latents before the edit, and those of the after-room (its own boxes, voxels and background)."""
    from anchorgen.world.edits import apply_edit
    from anchorgen.world.rendering import render
    from anchorgen.world.truth import slot_instances, truth_slots, world_truth
    from anchorgen.world.types import WorldScene

    record = pair.record
    before = pipe.latents(record.truth, record.image, record.instance)
    world = apply_edit(WorldScene.from_json(record.meta["scene"]), pair.edit)
    rendering = render(world, len(record.image), spp=1, denoise=False)
    truth, instance = world_truth(world, rendering), rendering.instance
    after = pipe.latents(truth, pair.after, slot_instances(instance, truth_slots(world, instance)))
    return before, after


def training_mean(pipe: AnchorgenPipeline) -> np.ndarray:
    """The mean training picture `[H, W, 3]` in [0, 1], over at most 2,000 rooms of the cache.

    Raises:
        FileNotFoundError: none are rendered; the message gives the command.
    """
    total, count = np.zeros((pipe.image_size, pipe.image_size, 3)), 0
    for record in read_records(split_folder("train"), stop=2000):
        total, count = total + record.image, count + 1
    if not count:
        raise FileNotFoundError(
            "no training rooms in the cache; render some: python -m anchorgen data render --split train --count 2048"
        )
    return total / count / 255


@torch.no_grad()
def autoencoded(pipe: AnchorgenPipeline, image: np.ndarray) -> np.ndarray:
    """A picture `[H, W, 3]` uint8 through the autoencoder alone: what the decoder cannot pass."""
    x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float().to(pipe.device) / 127.5 - 1
    auto = pipe.decoder.autoencoder
    y = auto.decode(auto.encode(x))[0].clamp(-1, 1).permute(1, 2, 0).cpu().numpy()
    return np.round((y + 1) * 127.5).astype(np.uint8)


def timing(pipe: AnchorgenPipeline, records: list[Record]) -> dict[str, Any]:
    """Seconds from an edited scene to its picture: medians over rooms, after one warm-up."""
    scenes = [pipe.latents(r.truth, r.image, r.instance) for r in records]
    out: dict[str, Any] = {"threads": torch.get_num_threads()}
    for name, draft in (("draft_seconds", True), ("final_seconds", False)):
        pipe.render(scenes[0], draft=draft)
        seconds = []
        for scene in scenes * 3:
            started = time.perf_counter()
            pipe.render(scene, draft=draft)
            seconds.append(time.perf_counter() - started)
        out[name] = float(np.median(seconds))
    return out
