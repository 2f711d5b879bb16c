"""What is special to PhaNet: masks, scales, poses, and the joint loss by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F
from torch import Tensor, nn

from mien.errors import InputError, OptionError, UnknownNameError
from mien.models import build
from mien.models.phanet import (
    SMALL,
    JointOutput,
    PhaNet,
    PhaNetConfig,
    PhaNetLoss,
    ScaleSelection,
    coarse_to_fine,
    compactness,
    consistency,
    masked_mean,
    scaled_gradient,
    strongest_only,
)
from mien.nn.densenet import DenseNetConfig

TINY = PhaNetConfig(
    classes=3, poses=5, size_px=64, dense=DenseNetConfig(growth=4, blocks=(1, 1, 1, 1), stem=8), width=16
)
SWITCHES = {
    "all on": {},
    "no attention": {"attention": False},
    "no scale selection": {"scale_selection": False},
    "no branches": {"pose_branches": False},
    "no poses": {"poses": 0},
    "nothing on": {"attention": False, "scale_selection": False, "poses": 0},
}


def tiny(**changes: object) -> PhaNet:
    """A network in eval mode whose branches differ."""
    torch.manual_seed(0)
    network = PhaNet(replace(TINY, **changes)).eval()
    if network.branches is not None:
        nn.init.normal_(network.branches.weight)
    return network


def noise(count: int) -> Tensor:
    return torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(1))


# Attention.


def test_a_mask_of_ones_gives_the_mean_and_a_single_one_gives_its_cell() -> None:
    x = torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(masked_mean(x, torch.ones(2, 1, 3, 4)), x.mean(dim=(2, 3)), rtol=0, atol=1e-6)
    one = torch.zeros(2, 1, 3, 4)
    one[:, :, 1, 2] = 0.5
    torch.testing.assert_close(masked_mean(x, one), x[:, :, 1, 2], rtol=1e-5, atol=1e-5)


def test_each_scale_adds_the_logits_of_the_coarser_ones() -> None:
    fine, middle, coarse = torch.randn(2, 1, 8, 8), torch.randn(2, 1, 4, 4), torch.full((2, 1, 2, 2), 3.0)
    sums = coarse_to_fine([fine, torch.full((2, 1, 4, 4), 2.0), coarse])
    torch.testing.assert_close(sums[0], fine + 5)
    assert (sums[1] == 5).all()
    assert torch.equal(sums[2], coarse)
    varied = coarse_to_fine([fine, middle])
    torch.testing.assert_close(varied[0], fine + F.interpolate(middle, scale_factor=2, mode="bilinear"))


@torch.no_grad()
def test_masks_lie_between_0_and_1_on_the_grids_of_the_backbone() -> None:
    inside = tiny().intermediates(noise(2))
    for s, side in enumerate((16, 8, 4, 2), 1):
        mask = inside[f"masks.{s}"]
        assert mask.shape == (2, 1, side, side)
        assert 0 < mask.min() < mask.max() < 1
        assert inside[f"maps.{s}"].shape[2:] == (side, side)


# Scales.


@torch.no_grad()
def test_scale_weights_sum_to_1_and_depend_on_the_pose() -> None:
    torch.manual_seed(0)
    selection = ScaleSelection(16, poses=5, scales=4, temperature=1.0)
    vectors = torch.randn(1, 4, 16).expand(5, -1, -1)
    weights = selection(vectors, torch.eye(5))
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(5))
    assert len(weights[:, 0].unique()) == 5
    selection.temperature = 1e-3
    torch.testing.assert_close(selection(vectors, torch.eye(5)).amax(dim=1), torch.ones(5), rtol=0, atol=1e-3)


def test_keeping_the_strongest_makes_them_sum_to_1_again() -> None:
    weights = torch.tensor([[0.1, 0.4, 0.2, 0.3], [0.7, 0.1, 0.1, 0.1]])
    kept = strongest_only(weights, 2)
    torch.testing.assert_close(kept[0], torch.tensor([0, 0.4, 0, 0.3]) / 0.7)
    torch.testing.assert_close(kept.sum(dim=1), torch.ones(2))
    torch.testing.assert_close(strongest_only(weights, 4), weights)


def test_scales_are_dropped_in_eval_mode_only() -> None:
    network = tiny(select=1)
    assert set(network.intermediates(noise(2))["scale_weights"].flatten().tolist()) == {0.0, 1.0}
    assert (network.train().intermediates(noise(2))["scale_weights"] > 0).all()


@torch.no_grad()
def test_without_selection_every_scale_counts_the_same() -> None:
    inside = tiny(scale_selection=False).intermediates(noise(2))
    assert (inside["scale_weights"] == 0.25).all()
    mean = torch.stack([inside[f"vectors.{s}"] for s in range(1, 5)]).mean(dim=0)
    torch.testing.assert_close(inside["features"], mean)


# Poses.


@torch.no_grad()
def test_branches_count_by_the_probability_of_their_pose() -> None:
    network = tiny()
    assert network.pose_head is not None
    assert network.branches is not None
    inside = network.intermediates(noise(2))
    z, shared = inside["features"], network.head(inside["features"])
    per_pose = network.branches.weight.view(5, 3, 16)
    wanted = shared + torch.einsum("bk,kcd,bd->bc", inside["pose"], per_pose, z)
    torch.testing.assert_close(inside["logits"], wanted)
    network.pose_head[2].bias[3] = 100.0  # certain of pose 3
    inside = network.intermediates(noise(2))
    wanted = network.head(inside["features"]) + inside["features"] @ per_pose[3].t()
    torch.testing.assert_close(inside["logits"], wanted)


def test_expression_sends_no_gradient_into_the_pose_head() -> None:
    network = tiny()
    assert network.pose_head is not None
    network(noise(2)).square().sum().backward()
    assert all(p.grad is None for p in network.pose_head.parameters())


# Switches.


@torch.no_grad()
@pytest.mark.parametrize("name", SWITCHES)
def test_what_is_off_is_not_there(name: str) -> None:
    network = tiny(**SWITCHES[name])
    config, joint, inside = network.config, network.joint(noise(2)), network.intermediates(noise(2))
    torch.testing.assert_close(joint.logits, network(noise(2)))
    torch.testing.assert_close(inside["logits"], network(noise(2)))
    assert ("masks.1" in inside) == (len(joint.masks) == len(joint.auxiliary) == 4) == config.attention
    assert ("pose" in inside) == (joint.pose_logits is not None) == bool(config.poses)
    assert "scale_weights" in inside
    assert (network.branches is None) == (name in ("no branches", "no poses", "nothing on"))


@torch.no_grad()
def test_without_attention_the_vectors_are_means() -> None:
    network = tiny(attention=False)
    inside = network.intermediates(noise(2))
    projected = network.scales[1].project(inside["maps.2"])
    torch.testing.assert_close(inside["vectors.2"], projected.mean(dim=(2, 3)))


def test_small_form_is_below_a_million_parameters() -> None:
    assert build("phanet", config_name="small").config == SMALL
    assert sum(p.numel() for p in build("phanet", config_name="small").parameters()) < 1e6


# Bad input.


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"reads \(B, 3, 64, 64\), not \(.*, 3, 224, 112\): resize"):
        tiny()(torch.zeros(1, 3, 224, 112))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(OptionError, match="poses is 0, no pose task, or at least 2, not 1"):
        tiny(poses=1)
    with pytest.raises(OptionError, match="select is 1 to 4, the scales of this backbone, or None; not 5"):
        tiny(select=5)
    with pytest.raises(OptionError, match="temperature is above 0, not 0"):
        tiny(temperature=0.0)
    with pytest.raises(UnknownNameError, match="Known: densenet, ir50, mobilefacenet"):
        tiny(backbone="vgg")


# The joint loss.


def joint(logits: Tensor, pose: Tensor | None = None, masks: tuple[Tensor, ...] = ()) -> JointOutput:
    return JointOutput(logits, pose, tuple(torch.zeros_like(logits) for _ in masks), masks, None)


def test_a_share_of_the_gradient_goes_on_and_the_value_stays() -> None:
    x = torch.tensor([2.0, -3.0], requires_grad=True)
    y = scaled_gradient(x, 0.25)
    torch.testing.assert_close(y, x)
    y.sum().backward()
    assert x.grad.tolist() == [0.25, 0.25]


def test_compactness_is_the_square_of_what_a_mask_has_above_the_bound() -> None:
    masks = torch.stack([torch.full((1, 2, 2), 0.9), torch.full((1, 2, 2), 0.3)])
    assert compactness(masks, 0.4).item() == pytest.approx((0.5**2 + 0) / 2)


def test_consistency_compares_means_of_the_fine_mask_and_leaves_the_coarse_one() -> None:
    fine = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(2, 2).view(1, 1, 4, 4).requires_grad_()  # means 0.5
    coarse = torch.tensor([[0.5, 0.7], [0.5, 0.9]]).view(1, 1, 2, 2).requires_grad_()
    value = consistency(fine, coarse)
    value.backward()
    assert value.item() == pytest.approx((0.2**2 + 0.4**2) / 4)
    assert fine.grad is not None
    assert coarse.grad is None


def test_the_attention_loss_by_hand() -> None:
    masks = (torch.full((2, 1, 4, 4), 0.6), torch.full((2, 1, 2, 2), 0.5))
    loss = PhaNetLoss(TINY).attention(joint(torch.zeros(2, 3), masks=masks), torch.tensor([0, 2]))
    by_hand = (2 * math.log(3) + 0.1 * (0.2**2 + 0.1**2) + 0.1 * 0.1**2) / 2
    assert loss.item() == pytest.approx(by_hand)


def test_the_sum_is_weighted_by_the_learned_log_variances() -> None:
    loss = PhaNetLoss(replace(TINY, attention=False))
    with torch.no_grad():
        loss.log_variances["expression"].fill_(0.5)
        loss.log_variances["pose"].fill_(-7.0)  # held at -3
    total, parts = loss(joint(torch.zeros(2, 3), torch.zeros(2, 5)), torch.tensor([0, 1]), torch.tensor([4, 0]))
    assert parts["expression"].item() == pytest.approx(math.log(3))
    assert parts["pose"].item() == pytest.approx(math.log(5))
    by_hand = math.exp(-0.5) * math.log(3) + 0.5 + math.exp(3) * math.log(5) - 3
    assert total.item() == pytest.approx(by_hand)


def test_unknown_poses_are_left_out_and_without_any_the_whole_term() -> None:
    loss = PhaNetLoss(replace(TINY, attention=False))
    with torch.no_grad():
        loss.log_variances["pose"].fill_(1.0)
    poses = torch.zeros(2, 5)
    poses[0, 1] = 2.0
    target = torch.tensor([0, 1])
    _, parts = loss(joint(torch.zeros(2, 3), poses), target, torch.tensor([1, -1]))
    assert parts["pose"].item() == pytest.approx(math.log(4 + math.e**2) - 2)
    for unknown in (None, torch.tensor([-1, -1])):
        loss.zero_grad()
        total, _ = loss(joint(torch.zeros(2, 3), poses), target, unknown)
        total.backward()
        assert total.item() == pytest.approx(math.log(3))
        assert not loss.log_variances["pose"].grad


def test_classes_and_distributions_are_the_same_target() -> None:
    loss, given = PhaNetLoss(TINY), tiny().joint(noise(2))
    classes, poses = torch.tensor([2, 0]), torch.tensor([1, 3])
    total = loss(given, classes, poses)[0]
    torch.testing.assert_close(total, loss(given, F.one_hot(classes, 3).float(), poses)[0])


def test_one_task_alone_is_not_weighted() -> None:
    loss = PhaNetLoss(replace(TINY, **SWITCHES["nothing on"]))
    assert not list(loss.parameters())
    total, parts = loss(joint(torch.zeros(2, 3)), torch.tensor([0, 1]), torch.tensor([4, 0]))
    assert total.item() == pytest.approx(math.log(3))
    assert list(parts) == ["expression"]


def test_log_variances_are_scalars_that_no_rule_of_weight_decay_catches() -> None:
    parameters = dict(PhaNetLoss(TINY).named_parameters())
    assert sorted(parameters) == [f"log_variances.{task}" for task in ("attention", "expression", "pose")]
    assert all(p.dim() == 0 for p in parameters.values())


@pytest.mark.parametrize("name", SWITCHES)
def test_the_joint_loss_moves_every_parameter(name: str) -> None:
    network = tiny(**SWITCHES[name]).train()
    loss = PhaNetLoss(network.config)
    total, _ = loss(network.joint(noise(4)), torch.tensor([0, 1, 2, 0]), torch.tensor([0, 1, 2, 4]))
    total.backward()
    for part in (network, loss):
        for key, parameter in part.named_parameters():
            assert parameter.grad is not None, key
            assert parameter.grad.abs().sum() > 0, key


def test_network_and_loss_compile_into_one_graph() -> None:
    torch._dynamo.reset()
    network = tiny()
    loss = PhaNetLoss(network.config)

    def step(x: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        return loss(network.joint(x), expression, pose)[0]

    args = noise(2), torch.tensor([0, 1]), torch.tensor([-1, 3])
    compiled = torch.compile(step, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*args), step(*args))


def test_a_few_steps_learn_both_tasks() -> None:
    network = tiny(dropout=0.0).train()
    loss = PhaNetLoss(network.config)
    optimizer = torch.optim.AdamW([*network.parameters(), *loss.parameters()], lr=5e-3)
    x, expression, pose = noise(8), torch.arange(8) % 3, torch.arange(8) % 5
    for _ in range(100):
        total, _ = loss(network.joint(x), expression, pose)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    given = network.joint(x)
    assert torch.equal(given.logits.argmax(dim=1), expression)
    assert given.pose_logits is not None
    assert torch.equal(given.pose_logits.argmax(dim=1), pose)
