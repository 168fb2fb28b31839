"""The worker that runs SAM 3D Objects in its own environment over a job folder.

    python worker.py JOB --checkpoint checkpoints/hf/pipeline.yaml --gpu 0

It needs numpy, PIL, safetensors and SAM 3D Objects, and no anchorgen. One load of the models serves all pictures; start
one worker a GPU on the same folder. It stops before the mesh and gaussian decoders: what it writes is the SLAT and the
layout. Whatever ends it, finished objects stay; the next worker goes on.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

if __package__:
    from anchorgen.encode.sam3d import explain, folder
else:  # run as a file
    import explain
    import folder

MAX_TRIES = 3  # a worker that dies at an object takes the others down too: it is left alone after that
MIN_MASK_PX = 30
MAX_POINTS_SIDE = 128
MEMORY = "32 GB of GPU memory (SAM 3D's own setup page)"
INSTALL = "run the worker with the interpreter of SAM 3D Objects' own environment (docs/sam3d.md)"
_ALLOWED_TARGETS = {"sam3d_objects", "torch", "torchvision", "moge"}
_DECODERS = ("slat_decoder_gs", "slat_decoder_gs_4", "slat_decoder_mesh")


class Backend(Protocol):
    """What makes latents: SAM 3D Objects, or a stand-in in tests."""

    def camera(self, rgb: np.ndarray) -> dict[str, np.ndarray]:
        """`points` `[H, W, 3]` (PyTorch3D frame, NaN = unknown) and `intrinsics` `[3, 3]` of a picture."""
        ...

    def encode(self, rgb: np.ndarray, mask: np.ndarray, points: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        """The tensors of `folder.OBJECT_FIELDS` of the object under `mask` `[H, W]` bool."""
        ...

    def recover(self) -> None:
        """Frees what a failed object left on the GPU."""
        ...


class Sam3dObjects:
    """SAM 3D Objects' `InferencePipelinePointMap`, stopped at its structured latents.

    Args:
        checkpoint: `pipeline.yaml` of the downloaded checkpoints.

    Raises:
        PerceptionError: no environment, no CUDA, no weights, or not enough memory.
    """

    def __init__(self, checkpoint: Path):
        # As the package's own entry script does before it is imported.
        os.environ.setdefault("LIDRA_SKIP_INIT", "true")
        if os.environ.get("CONDA_PREFIX"):
            os.environ.setdefault("CUDA_HOME", os.environ["CONDA_PREFIX"])
        with explain.explained("SAM 3D Objects", "facebook/sam-3d-objects", MEMORY, INSTALL):
            self.torch = _torch_with_cuda()
            self.pipeline = _load(checkpoint)
        self.pipeline.decode_slat = lambda slat, formats: {"slat": slat}
        for name in _DECODERS:
            if name in self.pipeline.models:
                self.pipeline.models.pop(name)
        self.recover()

    def camera(self, rgb: np.ndarray) -> dict[str, np.ndarray]:
        pipeline, seen = self.pipeline, {}
        depth_model, clip = pipeline.depth_model, pipeline.clip_pointmap_beyond_scale

        def remembered(image: Any) -> Any:
            seen.update(depth_model(image))
            return seen

        rgba = np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], -1)
        # Clipping is by an object's distance, which `run` does itself; here is none.
        pipeline.depth_model, pipeline.clip_pointmap_beyond_scale = remembered, None
        try:
            with pipeline.device, self.torch.no_grad():
                points = pipeline.compute_pointmap(rgba)["pointmap"]
        finally:
            pipeline.depth_model, pipeline.clip_pointmap_beyond_scale = depth_model, clip
        points = _numpy(points).transpose(1, 2, 0)
        return {
            "points": np.where(np.isfinite(points), points, np.nan).astype(np.float32),
            "intrinsics": _numpy(seen["intrinsics"]).reshape(3, 3),
        }

    def encode(self, rgb: np.ndarray, mask: np.ndarray, points: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        out = self.pipeline.run(
            rgb,
            mask.astype(np.uint8) * 255,
            seed,
            with_mesh_postprocess=False,
            with_texture_baking=False,
            with_layout_postprocess=False,  # it needs the mesh
            use_vertex_color=True,
            pointmap=self.torch.from_numpy(points),
            decode_formats=[],
        )
        found = {
            "coords": _numpy(out["slat"].coords)[:, 1:].astype(np.uint8),  # the first column is the batch
            "feats": _numpy(out["slat"].feats).astype(np.float16),
            "slat_mean": _numpy(self.pipeline.slat_mean),
            "slat_std": _numpy(self.pipeline.slat_std),
        }
        return found | {name: _numpy(out[name]).reshape(-1) for name in ("rotation", "translation", "scale")}

    def recover(self) -> None:
        self.torch.cuda.empty_cache()


def _torch_with_cuda() -> Any:
    import torch

    if not torch.cuda.is_available():
        raise explain.PerceptionError(
            f"SAM 3D Objects: torch {torch.__version__} (built for CUDA {torch.version.cuda}) sees no GPU; compare with "
            "`nvidia-smi`, and install builds for that driver (SAM 3D pins torch 2.5.1 for CUDA 12.1)"
        )
    return torch


def _load(checkpoint: Path) -> Any:
    if not checkpoint.is_file():
        raise explain.PerceptionError(
            f"SAM 3D Objects: no {checkpoint}; ask for access on https://huggingface.co/facebook/sam-3d-objects, then `hf "
            "download facebook/sam-3d-objects --local-dir FOLDER` and pass FOLDER/checkpoints/pipeline.yaml"
        )
    import sam3d_objects  # noqa: F401  (before the pipeline)
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    config = OmegaConf.load(checkpoint)
    _check_targets(OmegaConf.to_container(config))
    config.rendering_engine, config.compile_model = "pytorch3d", False
    config.workspace_dir = str(checkpoint.parent)
    config.slat_decoder_gs_config_path = config.slat_decoder_gs_4_config_path = None
    return instantiate(config)


def _check_targets(node: Any) -> None:
    """What a configuration instantiates must be of the packages that SAM 3D itself allows."""
    if isinstance(node, dict):
        target = node.get("_target_")
        if target is not None and str(target).split(".")[0] not in _ALLOWED_TARGETS:
            raise explain.PerceptionError(f"pipeline.yaml makes a {target!r}; expected only {sorted(_ALLOWED_TARGETS)}")
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _check_targets(item)


def _numpy(value: Any) -> np.ndarray:
    return np.asarray(value.detach().float().cpu().numpy() if hasattr(value, "detach") else value, np.float32)


def encode_picture(path: Path, backend: Backend) -> None:
    """Makes what is still open of one picture (which the caller has claimed)."""
    manifest, todo = folder.manifest_of(path), folder.open_objects(path)
    with Image.open(path / "picture.png") as picture:
        rgb = np.asarray(picture.convert("RGB"))
    try:
        points = _camera(path, rgb, backend)["points"]
    except Exception as error:
        _fail(path, None, error, backend)
        return
    for index in todo:
        if folder.begun(path, index) >= MAX_TRIES:
            folder.write_failure(path, index, f"the worker ended {MAX_TRIES} times while it was at this object")
            continue
        try:
            mask = folder.mask_of(path / manifest["objects"][index]["mask"])
            if mask.shape != rgb.shape[:2] or mask.sum() < MIN_MASK_PX:
                raise folder.JobError(
                    f"the mask is {list(mask.shape)} with {int(mask.sum())} px; expected {list(rgb.shape[:2])} with at "
                    f"least {MIN_MASK_PX}"
                )
            tensors = backend.encode(rgb, mask, points, manifest["seed"] + index)
            folder.check_object(tensors)
            folder.write_tensors(folder.result_path(path, index), tensors, {"frame": "pytorch3d rows"})
        except Exception as error:
            _fail(path, index, error, backend)
    if all(folder.result_path(path, index).exists() for index in range(len(manifest["objects"]))):
        (path / "depth.safetensors").unlink(missing_ok=True)  # megabytes; a retry of failed objects would need it


def _camera(path: Path, rgb: np.ndarray, backend: Backend) -> Mapping[str, np.ndarray]:
    """The picture's depth, given or estimated; what stays of it is thinned, as it is only for gravity and focal length."""
    given, done = path / "depth.safetensors", path / "camera.safetensors"
    if folder.begun(path) >= MAX_TRIES and not done.exists():
        raise folder.JobError(f"the worker ended {MAX_TRIES} times while it was at it")
    camera = folder.read_tensors(given) if given.exists() else backend.camera(rgb)
    expected = {"points": (*rgb.shape[:2], 3), "intrinsics": (3, 3)}
    found = {name: value.shape for name, value in camera.items()}
    if found != expected:
        raise folder.JobError(f"depth has {found}; expected {expected}")
    if not done.exists():
        step = -(-max(rgb.shape[:2]) // MAX_POINTS_SIDE)
        thin = {**camera, "points": camera["points"][step // 2 :: step, step // 2 :: step]}
        about = {"frame": "pytorch3d", "source": "given" if given.exists() else "worker"}
        folder.write_tensors(done, thin, about)
    return camera


def _fail(path: Path, index: int | None, error: Exception, backend: Backend) -> None:
    """Lists an object (None: the picture) as failed; what leaves the GPU unusable ends the worker instead."""
    if explain.is_fatal(error):
        raise error
    if explain.is_out_of_memory(error):
        backend.recover()
    folder.write_failure(path, index, ("the picture's depth: " if index is None else "") + _reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, (explain.PerceptionError, folder.JobError)):
        return str(error)
    known = explain.is_fatal(error) or explain.is_out_of_memory(error)
    return (known and explain.advice(error, memory=MEMORY)) or f"{type(error).__name__}: {str(error)[:500]}"


def work(job: Path, backend: Backend, follow: bool = False, parent: int | None = None, pause_s: float = 0.3) -> None:
    """Makes every open picture, sharing them with other workers, and takes over what a dead one leaves.

    Args:
        follow: waits for more pictures until the job is closed.
        parent: a process whose end ends this one too.
    """
    finished: set[str] = set()
    while True:
        busy, did = False, False
        closed = (job / "closed").exists()  # before the listing, else a last picture could be missed
        for path in folder.picture_folders(job):
            if path.name in finished:
                continue
            with folder.claimed(path / ".lock") as mine:
                if not mine:
                    busy = True
                    continue
                did |= _open_picture(path, backend)
                finished.add(path.name)
            if _orphaned(parent):
                return
        if not busy and not did and (closed or not follow):
            return
        if not did:
            time.sleep(pause_s)
        if _orphaned(parent):
            return


def _open_picture(path: Path, backend: Backend) -> bool:
    """Makes what is open of a picture, if anything is; one whose files are damaged is listed."""
    try:
        if folder.is_finished(path):
            return False
        encode_picture(path, backend)
    except folder.JobError as error:
        folder.write_failure(path, None, str(error))
    return True


def _orphaned(parent: int | None) -> bool:
    return parent is not None and os.getppid() != parent


def main(arguments: Sequence[str] | None = None, load: Any = Sam3dObjects) -> int:
    """Returns 0, or 2 after one line that says what to do."""
    parser = argparse.ArgumentParser(description="Runs SAM 3D Objects over a job folder of anchorgen.")
    parser.add_argument("job", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True, help="pipeline.yaml of the downloaded checkpoints")
    parser.add_argument("--gpu", default=None, help="which GPU (CUDA_VISIBLE_DEVICES)")
    parser.add_argument("--follow", action="store_true", help="wait for more pictures until the job is closed")
    parser.add_argument("--retry-failed", action="store_true", help="try again what is listed as failed")
    parser.add_argument("--parent", type=int, default=None, help="end when this process, which started it, ends")
    options = parser.parse_args(arguments)
    if options.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = options.gpu
    name = f"{socket.gethostname()}-{os.getpid()}"
    try:
        folder.check(options.job)
        with folder.claimed(options.job / "workers" / f"{name}.lock"):
            for path in folder.picture_folders(options.job) if options.retry_failed else ():
                folder.forget_failures(path)
            work(options.job, load(options.checkpoint), options.follow, options.parent)
    except Exception as error:
        print(_reason(error), file=sys.stderr)
        if (options.job / "workers").is_dir():
            folder.write_json(options.job / "workers" / f"{name}.error", {"reason": _reason(error)})
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
