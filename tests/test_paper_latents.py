"""The paper's latent records become a file for the prior."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from anchorgen.__main__ import main
from anchorgen.train.latents import LatentSet

RNG = np.random.default_rng(0)


def boxes(count: int) -> np.ndarray:
    quat = RNG.normal(size=(count, 4))
    quat /= np.linalg.norm(quat, axis=1, keepdims=True)
    place = np.concatenate([RNG.normal(size=(count, 2)), 2 + RNG.random((count, 1))], 1)
    return np.concatenate([place, quat, 0.2 + RNG.random((count, 3))], 1)


def test_a_file_becomes_one_for_the_prior(tmp_path):
    arrays = {
        "box": np.stack([boxes(4) for _ in range(6)]).astype(np.float32),
        "appearance": RNG.normal(size=(6, 4, 8, 16)).astype(np.float16),
        "presence": RNG.random((6, 4)) < 0.7,
        "camera": np.full((6, 2), 0.9, np.float32),
        "background": RNG.normal(size=(6, 16)).astype(np.float32),
    }
    arrays["presence"][:, 0] = True
    save_file(arrays, tmp_path / "paper.safetensors")
    out = tmp_path / "latents.safetensors"
    main(["train", "paper_latents", "--file", f"{tmp_path}/paper.safetensors", "--out", str(out)])
    data = LatentSet.load(out)
    assert len(data) == 6 and data.labels == ("object",) and data.latent_space == "paper"
    assert data.scene.presence.sum(1).tolist() == arrays["presence"].sum(1).tolist()
    first = torch.tensor(arrays["appearance"][2][arrays["presence"][2]])
    assert torch.equal(data.scene.appearance[2][data.scene.presence[2]], first)
    small = ["--width", "32", "--depth", "1", "--num-heads", "2", "--loop.steps", "2", "--batch-size", "4"]
    run = ["--latents", str(out), "--out-dir", f"{tmp_path}/run", "--preset", "paper", *small]
    main(["train", "prior", *run])
    save_file(arrays | {"camera": np.full((6, 2), 512.0, np.float32)}, tmp_path / "bad.safetensors")
    with pytest.raises(ValueError, match="scene 0 of .*is it in pixels"):
        main(["train", "paper_latents", "--file", f"{tmp_path}/bad.safetensors", "--out", str(out)])
    del arrays["camera"]
    save_file(arrays, tmp_path / "bad.safetensors")
    with pytest.raises(ValueError, match="has no camera"):
        main(["train", "paper_latents", "--file", f"{tmp_path}/bad.safetensors", "--out", str(out)])
