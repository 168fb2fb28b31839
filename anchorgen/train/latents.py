"""Scene latents of a whole data set in one `.safetensors` file: what the prior is trained on.

Shape legend: M scenes, N slots, K appearance tokens, Kb background tokens, C channels.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from anchorgen.scene.batch import SceneBatch

_HALF = ("appearance", "background")


@dataclass
class LatentSet:
    """M scenes with their labels.

    Attributes:
        scene: M scenes; appearance and background are float16, the rest as in `SceneBatch`.
        label: `[M, N]` int64, index into `labels`; -1 where the slot is empty.
        labels: names.
        latent_space: of the pooling and background networks that made them.
    """

    scene: SceneBatch
    label: Tensor
    labels: tuple[str, ...]
    latent_space: str = ""

    def __len__(self) -> int:
        return len(self.scene)

    def batch(self, index: Tensor | slice) -> tuple[SceneBatch, Tensor]:
        """Some scenes, all float32, and their labels."""
        scene = self.scene[index]
        return scene.replace(**{name: getattr(scene, name).float() for name in _HALF}), self.label[index]

    def save(self, path: str | os.PathLike) -> None:
        """Writes the file whole or not at all."""
        tensors = {f.name: getattr(self.scene, f.name) for f in fields(SceneBatch)}
        tensors = {name: value.half() if name in _HALF else value for name, value in tensors.items()}
        tensors["label"] = self.label.long()
        header = {"labels": json.dumps(self.labels), "latent_space": self.latent_space}
        partial = f"{path}.tmp"
        save_file({name: value.cpu().contiguous() for name, value in tensors.items()}, partial, metadata=header)
        os.replace(partial, path)

    @staticmethod
    def load(path: str | os.PathLike) -> LatentSet:
        """The inverse of `save`.

        Raises:
            ValueError: a field is missing, or a label has no name.
        """
        names = [f.name for f in fields(SceneBatch)] + ["label"]
        with safe_open(str(path), "pt") as file:
            missing = sorted(set(names) - set(file.keys()))
            header = file.metadata() or {}
            if missing or "labels" not in header:
                raise ValueError(f"{path} lacks {missing or 'its label names'}; expected a file of LatentSet.save")
            tensors = {name: file.get_tensor(name) for name in names}
        label, labels = tensors.pop("label"), tuple(json.loads(header["labels"]))
        if label.max() >= len(labels):
            raise ValueError(f"{path}: label {int(label.max())} has no name; there are {len(labels)}")
        return LatentSet(SceneBatch(**tensors), label, labels, header.get("latent_space", ""))
