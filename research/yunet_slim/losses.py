"""Losses of a YuNet: to the faces of composites, and to the network it was slimmed from."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mien.models.yunet import YuNet
from research.yunet_slim.composites import SMALLEST_PX

CENTRE_CELLS = 2.5  # around a face's centre: cells that may be assigned to it
SUPERVISED = {"object": 1.0, "face": 1.0, "box": 5.0, "points": 0.1}  # weights of the losses
DISTILLED = {"maps": 2.0, "face": 1.0, "object": 1.0, "box": 1.0, "points": 0.2}

Target = tuple[Tensor, Tensor]  # boxes (G, 4) and points (G, 5, 2) of one image


def decode_boxes(outputs: Tensor, corners: Tensor, strides: Tensor) -> Tensor:
    """Predictions (B, 16, N) -> boxes (B, N, 4) in pixels."""
    centre = (corners.T + outputs[:, 2:4]) * strides
    half = outputs[:, 4:6].clamp(max=6).exp() * strides / 2
    return torch.cat([centre - half, centre + half], dim=1).transpose(1, 2)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4), broadcast."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp_min(0).prod(dim=-1)
    area = (a[..., 2:] - a[..., :2]).prod(dim=-1) + (b[..., 2:] - b[..., :2]).prod(dim=-1)
    return shared / (area - shared).clamp_min(1e-6)


def assign(scores: Tensor, boxes: Tensor, truth: Tensor, corners: Tensor, strides: Tensor) -> tuple[Tensor, Tensor]:
    """SimOTA: the cells that are assigned to a face, and to which. scores (N,), boxes (N, 4), truth (G, 4)."""
    centres = corners * strides[:, None]  # (N, 2), as YuNet counts
    inside = ((centres[:, None] > truth[:, :2]) & (centres[:, None] < truth[:, 2:])).all(dim=-1)  # (N, G)
    middle = (truth[:, :2] + truth[:, 2:]) / 2
    near = ((centres[:, None] - middle).abs() < CENTRE_CELLS * strides[:, None, None]).all(dim=-1)
    cells = (inside | near).any(dim=1).nonzero()[:, 0]
    if not len(cells):
        return cells, cells
    shares = iou(boxes[cells, None], truth)  # (M, G)
    cost = -scores[cells].clamp_min(1e-7).log()[:, None] - 3 * (shares + 1e-7).log()
    cost = cost + 1e5 * ~(inside & near)[cells]
    top = shares.topk(min(10, len(cells)), dim=0).values
    counts = top.sum(dim=0).int().clamp_min(1)
    order = cost.argsort(dim=0).argsort(dim=0)  # rank of each cell for each face
    chosen = order < counts
    best = cost.masked_fill(~chosen, float("inf")).min(dim=1)
    picked = chosen.any(dim=1)
    return cells[picked], best.indices[picked]


def box_loss(boxes: Tensor, target: Tensor) -> Tensor:
    """EIoU (Zhang et al., 2021): IoU, distance of centres, differences of sides. (M, 4) each -> (M,)."""
    low, high = torch.minimum(boxes[:, :2], target[:, :2]), torch.maximum(boxes[:, 2:], target[:, 2:])
    hull = (high - low).clamp_min(1e-6).square()  # (M, 2)
    centres = ((boxes[:, :2] + boxes[:, 2:]) - (target[:, :2] + target[:, 2:])) / 2
    sides = (boxes[:, 2:] - boxes[:, :2]) - (target[:, 2:] - target[:, :2])
    distance = centres.square().sum(dim=1) / hull.sum(dim=1)
    return 1 - iou(boxes, target) + distance + (sides.square() / hull).sum(dim=1)


def supervised(outputs: Tensor, truth: list[Target], corners: Tensor, strides: Tensor) -> dict[str, Tensor]:
    """The paper's four losses over a batch, weighted; cells at faces below SMALLEST_PX count in none of them."""
    boxes = decode_boxes(outputs, corners, strides)
    with torch.no_grad():
        scores = (outputs[:, 0].sigmoid() * outputs[:, 1].sigmoid()).sqrt()
    is_face, weight = torch.zeros_like(scores), torch.ones_like(scores)
    parts: dict[str, list[Tensor]] = {"face": [], "box": [], "points": []}
    count = 0
    for i, (faces, points) in enumerate(truth):
        if not len(faces):
            continue
        small = (faces[:, 2:] - faces[:, :2]).prod(dim=1).sqrt() < SMALLEST_PX
        if small.any():
            centres = corners * strides[:, None]
            around = (centres[:, None] > faces[small, :2] - 4) & (centres[:, None] < faces[small, 2:] + 4)
            weight[i, around.all(dim=-1).any(dim=1)] = 0
        faces, points = faces[~small], points[~small]
        if not len(faces):
            continue
        cells, which = assign(scores[i], boxes[i].detach(), faces, corners, strides)
        count += len(cells)
        is_face[i, cells], weight[i, cells] = 1.0, 1.0
        quality = iou(boxes[i, cells].detach(), faces[which])
        parts["face"].append(F.binary_cross_entropy_with_logits(outputs[i, 0, cells], quality, reduction="sum"))
        parts["box"].append(box_loss(boxes[i, cells], faces[which]).sum())
        five = (points[which] / strides[cells, None, None] - corners[cells, None]).flatten(1)
        parts["points"].append(F.smooth_l1_loss(outputs[i, 6:, cells].T, five, beta=0.11, reduction="sum"))
    total = max(count, 1)
    objects = F.binary_cross_entropy_with_logits(outputs[:, 1], is_face, weight=weight, reduction="sum")
    zero = outputs.sum() * 0
    means = {"object": objects / total} | {
        name: (torch.stack(values).sum() if values else zero) / total for name, values in parts.items()
    }
    return {name: SUPERVISED[name] * value for name, value in means.items()}


def intermediates(network: YuNet, x: Tensor) -> list[Tensor]:
    """The maps at a quarter of the resolution, of the three stages and of the pyramid, then the outputs."""
    quarter = network.at_quarter(F.max_pool2d(network.at_half(F.relu(network.stem(x))), 2))
    maps, y = [], quarter
    for stage in network.stages:
        y = stage(F.max_pool2d(y, 2))
        maps.append(y)
    merged = network.pyramid(maps)
    return [quarter, *maps, *merged, network.outputs(merged)]


def distillation(student: list[Tensor], teacher: list[Tensor]) -> dict[str, Tensor]:
    """The distance of a student's `intermediates` to those of its teacher on the same images, weighted."""
    *maps, outputs = student
    *target_maps, target = teacher
    gaps = [(a - b).square().mean() / b.var() for a, b in zip(maps, target_maps, strict=True)]
    probability = target[:, :2].sigmoid()
    weight = probability.prod(dim=1, keepdim=True)  # (B, 1, N)
    total = weight.sum().clamp_min(1.0)
    logits = F.binary_cross_entropy_with_logits(outputs[:, :2], probability, reduction="none")
    object_weight = probability[:, 1].clamp_min(0.01)  # a face needs an object
    logits = (logits * torch.stack([object_weight, torch.ones_like(object_weight)], dim=1)).sum(dim=(0, 2)) / total
    offsets = F.smooth_l1_loss(outputs[:, 2:], target[:, 2:], beta=0.11, reduction="none") * weight
    means = {
        "maps": torch.stack(gaps).sum(),
        "face": logits[0],
        "object": logits[1],
        "box": offsets[:, :4].sum() / total,
        "points": offsets[:, 4:].sum() / total,
    }
    return {name: DISTILLED[name] * value for name, value in means.items()}
