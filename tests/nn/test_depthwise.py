from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from mien.nn.depthwise import DenseGradient, StridedDepthwise


@pytest.mark.parametrize("side", [(8, 8), (7, 9), (1, 2)])
def test_outputs_and_gradients_are_those_of_the_usual_convolution(side: tuple[int, int]) -> None:
    torch.manual_seed(0)
    usual = nn.Conv2d(5, 5, 3, 2, 1, groups=5, bias=False).double()
    x, again = (torch.randn(3, 5, *side, dtype=torch.double, generator=rng(1)).requires_grad_() for _ in range(2))
    weight = usual.weight.detach().clone().requires_grad_()
    expected, outputs = usual(x), DenseGradient.apply(again, weight)
    torch.testing.assert_close(outputs, expected)
    seed = torch.randn(expected.shape, dtype=torch.double, generator=rng(2))
    expected.backward(seed)
    outputs.backward(seed)
    torch.testing.assert_close(again.grad, x.grad)
    torch.testing.assert_close(weight.grad, usual.weight.grad)


def test_in_bfloat16_it_trains_like_the_usual_one() -> None:
    torch.manual_seed(0)
    layer = StridedDepthwise(6)
    usual = nn.Conv2d(6, 6, 3, 2, 1, groups=6, bias=False)
    usual.load_state_dict(layer.state_dict())
    gradients = []
    for one in (layer, usual):
        x = torch.randn(2, 6, 10, 10, generator=rng(3)).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            y = one(x)
        assert y.dtype == torch.bfloat16
        y.float().square().sum().backward()
        gradients.append((x.grad, one.weight.grad))
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other, atol=0.05, rtol=0.05)


def test_without_a_gradient_or_bfloat16_it_is_the_usual_one() -> None:
    layer = StridedDepthwise(4)
    x = torch.randn(2, 4, 6, 6, requires_grad=True)
    assert "DenseGradient" not in type(layer(x).grad_fn).__name__
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert layer(x).shape == (2, 4, 3, 3)


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
