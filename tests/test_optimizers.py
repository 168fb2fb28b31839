"""Muon for stacks of matrices: PyTorch's own, in fewer launches."""

from __future__ import annotations

import torch

from anchorgen.train.optimizers import StackedMuon, orthogonal

SHAPES = [(24, 24), (24, 24), (24, 96), (72, 24), (24, 96)]


def test_steps_are_those_of_pytorchs_muon():
    generator = torch.Generator().manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(*shape, generator=generator)) for shape in SHAPES]
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    options = {"lr": 1e-2, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    stacked, plain = StackedMuon(ours, **options), torch.optim.Muon(theirs, **options)
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        stacked.step()
        plain.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-5)
    stacked.load_state_dict(plain.state_dict())


def test_a_stack_is_made_nearly_orthogonal():
    matrices = torch.randn(3, 16, 40, generator=torch.Generator().manual_seed(1))
    done = orthogonal(matrices, (3.4445, -4.7750, 2.0315), 5, 1e-7).float()
    values = torch.linalg.svdvals(done)
    assert values.min() > 0.5 and values.max() < 1.3
