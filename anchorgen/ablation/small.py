"""Records and evaluation scenes with smaller pictures, as the small networks of the ablations draw them."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from anchorgen.analysis.evaluation_set import EvaluationScene
from anchorgen.data.records import Record
from anchorgen.train.tensors import smaller


def small_picture(picture: np.ndarray, size: int) -> np.ndarray:
    """`[H, W, 3]` uint8 -> `[size, size, 3]`, means over whole pixels; ValueError if `size` does not divide the side."""
    return smaller(torch.from_numpy(picture.transpose(2, 0, 1).copy()), size).numpy().transpose(1, 2, 0)


def small_instance(instance: np.ndarray, size: int) -> np.ndarray:
    """`[H, W]` -> `[size, size]`: every so-manieth pixel's object, since numbers of objects have no mean."""
    step = instance.shape[0] // size
    return np.ascontiguousarray(instance[step // 2 :: step, step // 2 :: step])


def small_record(record: Record, size: int) -> Record:
    return dataclasses.replace(
        record, image=small_picture(record.image, size), instance=small_instance(record.instance, size)
    )


def small_scene(scene: EvaluationScene, size: int) -> EvaluationScene:
    """Its influence masks are found anew, in the smaller pictures."""
    return dataclasses.replace(
        scene,
        before=small_picture(scene.before, size),
        after={name: small_picture(picture, size) for name, picture in scene.after.items()},
        instance=small_instance(scene.instance, size),
        after_instance={name: small_instance(image, size) for name, image in scene.after_instance.items()},
        donor_picture=small_picture(scene.donor_picture, size),
        donor_instance=small_instance(scene.donor_instance, size),
    )
