"""Which query stands for which object: the Hungarian matching of DETR (Carion et al. 2020, Eq. 1)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment


def match(cost_BQN: torch.Tensor, presence_BN: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The cheapest assignment of queries to present objects, scene by scene.

    Args:
        cost_BQN: `[B, Q, N]`, cost of query q standing for object n.
        presence_BN: `[B, N]` bool; absent objects get no query.

    Returns:
        Index tensors (scene, query, object), one entry per matched pair.
    """
    costs, present = cost_BQN.detach().cpu().float().numpy(), presence_BN.cpu().numpy()
    scenes, queries, objects = [], [], []
    for scene, (cost, there) in enumerate(zip(costs, present, strict=True)):
        index = np.flatnonzero(there)
        query, column = linear_sum_assignment(cost[:, index])
        scenes += [scene] * len(query)
        queries += query.tolist()
        objects += index[column].tolist()
    return tuple(torch.tensor(x, dtype=torch.long, device=cost_BQN.device) for x in (scenes, queries, objects))  # type: ignore[return-value]
