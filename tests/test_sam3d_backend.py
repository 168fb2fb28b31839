"""The worker's backend against a pipeline with the methods of SAM 3D Objects' `InferencePipelinePointMap`."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from sam3d_helpers import SIDE, block, picture

from anchorgen.encode.sam3d import folder, worker
from anchorgen.encode.sam3d.explain import PerceptionError

INTRINSICS = torch.tensor([[0.9, 0, 0.5], [0, 0.9, 0.5], [0, 0, 1]])


class Pipeline:
    """What the worker touches of the upstream class, in the same order: depth, `run`, `decode_slat`, post-processing."""

    def __init__(self, config):
        self.config, self.device, self.calls = config, torch.device("cpu"), []
        names = ("ss_generator", "slat_generator", "slat_decoder_gs", "slat_decoder_gs_4", "slat_decoder_mesh")
        self.models = torch.nn.ModuleDict({name: torch.nn.Identity() for name in names})
        self.slat_mean, self.slat_std = torch.arange(8.0), torch.full((8,), 2.0)
        self.clip_pointmap_beyond_scale = 3.0

    def depth_model(self, image):
        self.calls.append("depth")
        return {"pointmaps": torch.ones(SIDE, SIDE, 3), "intrinsics": INTRINSICS}

    def compute_pointmap(self, image, pointmap=None):
        assert image.shape == (SIDE, SIDE, 4) and image.dtype == np.uint8
        if pointmap is None:
            assert self.clip_pointmap_beyond_scale is None
            pointmap = self.depth_model(image)["pointmaps"].clone()
            pointmap[0, 0] = torch.inf
        return {"pointmap": pointmap.permute(2, 0, 1)}

    def run(self, image, mask, seed, *, with_layout_postprocess, decode_formats, pointmap, **options):
        assert self.clip_pointmap_beyond_scale == 3.0
        assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 255}
        assert not with_layout_postprocess and not options["with_mesh_postprocess"] and decode_formats == []
        image = np.concatenate([image[..., :3], mask[..., None]], -1)
        self.compute_pointmap(image, pointmap)
        coords = torch.tensor([[0, 5, 6, 7], [0, 8, 9, 63]], dtype=torch.int32)
        slat = SimpleNamespace(coords=coords, feats=torch.full((2, 8), float(seed), dtype=torch.bfloat16))
        layout = {
            "rotation": torch.tensor([[1.0, 0, 0, 0]]),
            "translation": torch.zeros(1, 3),
            "scale": torch.ones(1, 3),
        }
        return {**layout, **self.decode_slat(slat, decode_formats), "glb": None}

    def decode_slat(self, slat, formats):
        raise AssertionError("the decoders are not to be run")


@pytest.fixture
def environment(monkeypatch):
    """SAM 3D's environment, as far as imports go."""

    def module(name, **values):
        made = ModuleType(name)
        made.__dict__.update(values)
        monkeypatch.setitem(sys.modules, name, made)

    config = SimpleNamespace()
    omega = SimpleNamespace(load=lambda path: config, to_container=lambda c: {"_target_": "sam3d_objects.pipeline.X"})
    module("sam3d_objects")
    module("hydra")
    module("hydra.utils", instantiate=Pipeline)
    module("omegaconf", OmegaConf=omega)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    return omega


def test_one_depth_a_picture_and_no_decoder(environment, tmp_path):
    checkpoint = tmp_path / "pipeline.yaml"
    checkpoint.touch()
    backend = worker.Sam3dObjects(checkpoint)
    assert list(backend.pipeline.models) == ["ss_generator", "slat_generator"]
    assert backend.pipeline.config.slat_decoder_gs_config_path is None
    assert backend.pipeline.config.workspace_dir == str(tmp_path)
    camera = backend.camera(picture())
    assert np.isnan(camera["points"][0, 0]).all()
    np.testing.assert_allclose(camera["intrinsics"], INTRINSICS)
    for index in range(3):
        found = backend.encode(picture(), block(0, 0), camera["points"], seed=index)
        folder.check_object(found)
        np.testing.assert_array_equal(found["coords"], [[5, 6, 7], [8, 9, 63]])
        assert found["feats"][0, 0] == index
    np.testing.assert_array_equal(found["slat_std"], 2.0)
    assert backend.pipeline.calls == ["depth"]


def test_each_missing_part_has_its_message(environment, tmp_path, monkeypatch):
    checkpoint = tmp_path / "pipeline.yaml"
    with pytest.raises(PerceptionError, match="ask for access on https://huggingface.co/facebook/sam-3d-objects"):
        worker.Sam3dObjects(checkpoint)
    checkpoint.touch()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "sam3d_objects", None)
        with pytest.raises(PerceptionError, match="interpreter of SAM 3D Objects' own environment"):
            worker.Sam3dObjects(checkpoint)
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(PerceptionError, match=r"sees no GPU.*CUDA 12\.1"):
            worker.Sam3dObjects(checkpoint)
    with monkeypatch.context() as patch:

        def full(config):
            raise torch.OutOfMemoryError("CUDA out of memory")

        patch.setattr(sys.modules["hydra.utils"], "instantiate", full)
        with pytest.raises(PerceptionError, match="out of memory; it needs about 32 GB"):
            worker.Sam3dObjects(checkpoint)
    with monkeypatch.context() as patch:
        patch.setattr(environment, "to_container", lambda config: {"_target_": "os.system"})
        with pytest.raises(PerceptionError, match="expected only"):
            worker.Sam3dObjects(checkpoint)
