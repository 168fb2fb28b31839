"""`python -m anchorgen bench world`: what a room costs, how noisy its picture is, and whether rooms obey their rules."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from itertools import combinations
from typing import Any

import numpy as np

from anchorgen.analysis.evaluation_set import COMMAND, NUM_SCENES, lamp_removal, read_evaluation
from anchorgen.analysis.metrics import psnr
from anchorgen.data.cache import split_folder
from anchorgen.data.records import encode_record
from anchorgen.data.shards import read_records
from anchorgen.data.splits import FIRST_SEED
from anchorgen.pipeline.world_records import render_record
from anchorgen.world.boxes import box_of
from anchorgen.world.catalogue import CATEGORIES
from anchorgen.world.checks import box_overlap_share, impossibilities, may_overlap
from anchorgen.world.mitsuba_scene import build_scene, gather
from anchorgen.world.rendering import EVALUATION_SPP, TRAIN_SPP, render, tone_map
from anchorgen.world.rooms import sample_scene
from anchorgen.world.truth import world_truth
from anchorgen.world.variant import limit_threads, use_mitsuba

SIZE = 128
_FIRST = FIRST_SEED["test"]
_REFERENCE_SPP, _PASS_SPP = 4096, 256


def run(quick: bool = False) -> dict[str, Any]:
    """All figures of the world; `quick` measures few rooms and leaves out what needs the cache."""
    figures = cost(4 if quick else 40)
    figures |= process(20 if quick else 1000)
    figures |= noise(1 if quick else 8, 256 if quick else _REFERENCE_SPP)
    figures |= rules(50 if quick else 2000)
    if not quick:
        figures |= visibility(2000) | lamps()
    return figures


def cost(count: int) -> dict[str, Any]:
    """Milliseconds a room of each step, one thread, and all that is not path tracing over path tracing.

    The bare time is Mitsuba's for the path integrator on the same loaded scene, in the same process. Times are of the
    clock, so the machine must be idle: the renderer's thread waits for work by spinning for a tenth of a second after
    every picture, and processor time would count that with whatever Python does meanwhile (`cpu_overhead_ratio` does).
    """
    limit_threads(1)
    mi = use_mitsuba()
    spent: defaultdict[str, float] = defaultdict(float)

    def timed(name: str, work: Any) -> Any:
        started, cpu = time.perf_counter(), time.process_time()
        result = work()
        spent[name] += time.perf_counter() - started
        spent[f"{name}_cpu"] += time.process_time() - cpu
        return result

    render_record(_FIRST, SIZE, TRAIN_SPP)  # kernels
    for seed in range(_FIRST + 1, _FIRST + 1 + count):
        record = timed("all", lambda s=seed: render_record(s, SIZE, TRAIN_SPP))
        timed("write", lambda r=record: encode_record(r))
        scene = sample_scene(seed)
        geometry = timed("meshes", lambda s=scene: gather(s))
        loaded = timed("load", lambda s=scene, g=geometry: build_scene(mi, s, g, SIZE, 5)[0])
        timed("path", lambda x=loaded: np.array(mi.render(x, spp=TRAIN_SPP, seed=0)))
        del loaded  # a second scene in memory adds its shapes to every call the kernels dispatch: 40 ms a picture
        picture = timed("picture", lambda s=scene: render(s, SIZE, TRAIN_SPP))
        timed("truth", lambda s=scene, p=picture: world_truth(s, p.instance, p.depth))
    for seed in range(_FIRST + 1, _FIRST + 1 + count):
        timed("layout", lambda s=seed: sample_scene(s))
    whole, whole_cpu = (spent[f"all{kind}"] + spent[f"write{kind}"] for kind in ("", "_cpu"))
    spent["denoise_and_surfaces"] = spent["picture"] - spent["path"] - spent["meshes"] - spent["load"]
    steps = ("layout", "meshes", "load", "denoise_and_surfaces", "truth", "write")
    return {
        "overhead_ratio": (whole - spent["path"]) / spent["path"],
        "cpu_overhead_ratio": (whole_cpu - spent["path_cpu"]) / spent["path_cpu"],
        "seconds_per_scene": whole / count,
        "bare_path_ms": 1000 * spent["path"] / count,
        **{f"{name}_ms": 1000 * spent[name] / count for name in steps},
        "cost_scenes": count,
    }


def process(count: int) -> dict[str, Any]:
    """Kernels and memory of one fresh process that renders `count` different rooms."""
    code = f"from anchorgen.analysis.bench_world import in_one_process; in_one_process({count})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def in_one_process(count: int, spp: int = 2) -> None:
    """Renders rooms one after the other and prints, as JSON, kernels by kind and memory on the way.

    A kernel counts as one of the renderer's if it has over 100 operations: the path tracer and the two passes for
    features and surfaces. The small ones fill vertex buffers and are the same few for any scene.
    """
    use_mitsuba()
    import drjit

    drjit.set_flag(drjit.JitFlag.KernelHistory, True)
    kernels: dict[str, int] = {}
    memory: dict[int, float] = {}
    for number in range(1, count + 1):
        render(sample_scene(_FIRST + number), SIZE, spp)
        for kernel in drjit.kernel_history([drjit.KernelType.JIT]):
            kernels[str(kernel["hash"])] = int(kernel["operation_count"])
        if number in (1, count // 5, count // 2, count):
            memory[number] = _resident_mib()
    large = sum(operations > 100 for operations in kernels.values())
    first, last = memory[count // 5], memory[count]
    print(
        json.dumps(
            {
                "kernels_per_1000_scenes": large,
                "small_kernels": len(kernels) - large,
                "kernel_scenes": count,
                "resident_mib": {str(k): round(v) for k, v in memory.items()},
                "resident_growth_mib": round(last - first, 1),
            }
        )
    )


def _resident_mib() -> float:
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * 4096 / 2**20


def noise(count: int, reference_spp: int) -> dict[str, Any]:
    """PSNR of training and evaluation pictures against many samples without a denoiser; rendering twice."""
    limit_threads(2)
    rows, twice = [], []
    for seed in range(_FIRST, _FIRST + count):
        scene = sample_scene(seed)
        reference = _reference(scene, reference_spp)
        train = render(scene, SIZE, TRAIN_SPP, seed=1)
        evaluation = render(scene, SIZE, EVALUATION_SPP, seed=1, supersample=2)
        rows.append([psnr(x.image, reference) for x in (train, evaluation)])
        again = render(scene, SIZE, TRAIN_SPP, seed=1)
        twice.append(np.abs(again.image.astype(float) - train.image).mean())
    train_db, evaluation_db = np.mean(rows, 0)
    return {
        "train_psnr_db": float(train_db),
        "eval_psnr_db": float(evaluation_db),
        "lowest_train_psnr_db": float(np.min(rows, 0)[0]),
        "lowest_eval_psnr_db": float(np.min(rows, 0)[1]),
        "noise_scenes": count,
        "reference_spp": reference_spp,
        "rendered_twice_mean_grey_levels": float(np.mean(twice)),
    }


def _reference(scene: Any, spp: int) -> np.ndarray:
    """`[H, W, 3]` uint8: passes of 256 samples, each of its own seed, averaged in linear light."""
    passes = [render(scene, SIZE, min(spp, _PASS_SPP), seed=100 + i, denoise=False) for i in range(spp // _PASS_SPP)]
    return tone_map(np.mean([p.linear for p in passes], 0), scene.exposure)


def rules(count: int) -> dict[str, Any]:
    """Geometry of sampled test rooms: what overlaps, what leaves the room, what there is."""
    categories: Counter[str] = Counter()
    overlaps = leaving = impossible = 0
    objects = []
    for seed in range(_FIRST, _FIRST + count):
        scene = sample_scene(seed)
        wrong = impossibilities(scene)
        leaving += sum("goes through" in text for text in wrong)
        impossible += bool(wrong)
        boxes = [(spec, box_of(spec)) for spec in scene.objects]
        overlaps += sum(
            box_overlap_share(s, t) > 0.05 for (s, a), (t, b) in combinations(boxes, 2) if not may_overlap(s, a, t, b)
        )
        categories.update(spec.category for spec in scene.objects)
        objects.append(len(scene.objects))
    beds = max(categories["bed"], 1)
    return {
        "rooms": count,
        "overlaps_above_5_percent": overlaps,
        "objects_leaving_the_room": leaving,
        "impossible_rooms": impossible,
        "categories": sum(categories[c] > 0 for c in CATEGORIES),
        "objects_per_room": [int(min(objects)), float(np.mean(objects)), int(max(objects))],
        "per_bed": {c: round(categories[c] / beds, 3) for c in CATEGORIES},
    }


def visibility(count: int) -> dict[str, Any]:
    """Share of rendered test rooms with three objects or more of which at least 40% shows.

    Raises:
        FileNotFoundError: fewer are rendered; the message gives the command.
    """
    folder = split_folder("test")
    shares = (
        [r.truth.visible_share for r in read_records(folder, stop=count, pictures=False)] if folder.is_dir() else []
    )
    if len(shares) < count:
        command = f"python -m anchorgen data render --split test --count {count}"
        raise FileNotFoundError(f"{len(shares)} test rooms in {folder}; this needs {count}; render them: {command}")
    return {"share_with_3_visible_objects": float(np.mean([(s >= 0.4).sum() >= 3 for s in shares]))}


def lamps() -> dict[str, Any]:
    """What taking a lit lamp away changes, over the fixed evaluation set."""
    found = lamp_removal(read_evaluation())
    if found["scenes"] < NUM_SCENES:
        raise FileNotFoundError(f"{found['scenes']} evaluation rooms; this needs {NUM_SCENES}; go on with: {COMMAND}")
    return {
        "lamp_scenes": found["scenes"],
        "lamp_mean_abs_change": found["mean_abs_delta"],
        "lamp_pixels_changed": found["changed_share"],
        "lamp_pixels_brighter": found["brighter_share"],
    }
