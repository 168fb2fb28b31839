"""Made-up records, and what it means for two to be equal."""

from __future__ import annotations

import numpy as np

from anchorgen.data.records import Record
from anchorgen.scene.truth import WorldTruth


def make_record(seed: int = 0, num_objects: int = 3) -> Record:
    rng = np.random.default_rng(seed)
    counts = rng.integers(5, 20, num_objects)
    truth = WorldTruth(
        translation=rng.normal(size=(num_objects, 3)).astype(np.float32),
        quat_wxyz=rng.normal(size=(num_objects, 4)).astype(np.float32),
        scale=rng.random((num_objects, 3)).astype(np.float32),
        labels=("bed",) * num_objects,
        ids=tuple(f"bed-{i}" for i in range(num_objects)),
        visible_px=rng.integers(30, 999, num_objects).astype(np.int32),
        visible_share=rng.random(num_objects).astype(np.float32),
        voxel_coords=tuple(rng.integers(0, 64, (n, 3)).astype(np.uint8) for n in counts),
        voxel_feats=tuple(rng.integers(0, 256, (n, 8)).astype(np.uint8) for n in counts),
        focal=np.array([0.8, 0.9], np.float32),
        up=np.array([0, -1, 0], np.float32),
        floor=-1.4567890123,
        walls=rng.normal(size=(4, 4)).astype(np.float32),
    )
    image = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    instance = rng.integers(-1, max(num_objects, 1), (16, 16)).astype(np.int16)
    depth = rng.uniform(0, 8, (16, 16)).astype(np.float32) * (instance >= 0)
    normals = rng.normal(size=(16, 16, 3))
    normals = (normals / np.linalg.norm(normals, axis=-1, keepdims=True) * (depth > 0)[..., None]).astype(np.float32)
    meta = {"scene": {"seed": seed}, "spp": 16}
    return Record(f"room-{seed:08d}", image, instance, depth, normals, truth, meta)


def assert_equal(a: Record, b: Record) -> None:
    assert (a.key, a.meta, a.truth.labels, a.truth.ids, a.truth.floor) == (
        b.key,
        b.meta,
        b.truth.labels,
        b.truth.ids,
        b.truth.floor,
    )
    for name in ("translation", "quat_wxyz", "scale", "visible_px", "visible_share", "focal", "up", "walls"):
        np.testing.assert_array_equal(getattr(a.truth, name), getattr(b.truth, name))
    np.testing.assert_array_equal(a.image, b.image)
    for name in ("instance", "depth", "normals"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype == getattr(b, name).dtype
    for x, y in zip(
        a.truth.voxel_coords + a.truth.voxel_feats, b.truth.voxel_coords + b.truth.voxel_feats, strict=True
    ):
        np.testing.assert_array_equal(x, y)
