"""The paper's latent records become scenes, and a file for the prior."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from anchorgen.__main__ import main
from anchorgen.geometry import box_corners
from anchorgen.scene.paper_record import scene_from_paper
from anchorgen.train.latents import LatentSet

RNG = np.random.default_rng(0)


def boxes(count: int) -> np.ndarray:
    quat = RNG.normal(size=(count, 4))
    place = np.concatenate([RNG.normal(size=(count, 2)), 2 + RNG.random((count, 1))], 1)
    return np.concatenate([place, 3 * quat, 0.2 + RNG.random((count, 3))], 1)


def scene(box: np.ndarray, **options):
    appearance, background = RNG.normal(size=(len(box), 8, 16)), RNG.normal(size=16)
    return scene_from_paper(box, appearance, (0.9, 1.1), background, **options)


def test_a_box_is_ten_numbers():
    box = boxes(3)
    made = scene(box, num_slots=5, labels=("bed", "lamp", "lamp"))
    assert made.labels[:3] == ("bed", "lamp", "lamp") and made.num_objects == 3 and made.background.shape == (1, 16)
    np.testing.assert_allclose(made.translation[:3], box[:, :3], rtol=1e-6)
    np.testing.assert_allclose(made.scale[:3], box[:, 7:], rtol=1e-6)
    unit = box[:, 3:7] / np.linalg.norm(box[:, 3:7], axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs((made.quat_wxyz[:3] * unit).sum(1)), 1, atol=1e-6)


def test_the_frame_of_sam_3d_is_turned():
    """Corners: rows times the matrix of q, as PyTorch3D has points, are where the scene's own box has them."""
    box = boxes(4)
    box[:, 2] = np.abs(box[:, 2])
    made = scene(box, frame="pytorch3d", num_slots=4)
    for i, (row, quat) in enumerate(zip(box, box[:, 3:7], strict=True)):
        w, x, y, z = quat / np.linalg.norm(quat)
        matrix = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        local = box_corners(np.zeros(3), np.array([1.0, 0, 0, 0]), row[7:])
        expected = (local @ matrix + row[:3]) * [-1, -1, 1]
        np.testing.assert_allclose(box_corners(*(getattr(made, n)[i] for n in FIELDS)), expected, atol=1e-5)


FIELDS = ("translation", "quat_wxyz", "scale")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"box": np.zeros((2, 9))}, r"expected \[M, 10\]"),
        ({"camera": (512.0, 512.0)}, "divide pixels"),
        ({"box": np.ones((2, 10)) * ([1] * 3 + [0] * 4 + [1] * 3)}, "length 0"),
        ({"frame": "three"}, "expected one of"),
    ],
)
def test_what_is_wrong_is_said(change, message):
    usual = {"box": boxes(2), "appearance": np.zeros((2, 8, 4)), "camera": (1.0, 1.0), "background": np.zeros(4)}
    with pytest.raises(ValueError, match=message):
        scene_from_paper(**{**usual, **change})


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
    del arrays["camera"]
    save_file(arrays, tmp_path / "bad.safetensors")
    with pytest.raises(ValueError, match="has no camera"):
        main(["train", "paper_latents", "--file", f"{tmp_path}/bad.safetensors", "--out", str(out)])
