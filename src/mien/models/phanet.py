"""PhaNet (re-derived): expression and head pose in one network; the pose decides the weights of the scales.

Source: Liu, Peng, Zeng, Shan, "PhaNet" (ACM MM 2019, arXiv 1905.10059), known to us by its abstract: expression
and pose learned jointly end to end, attention in hierarchical scales, selection of the most informative scales,
attention + expression + pose losses with dynamically learned weights. Everything else here, every formula and
number, is our completion; docs/differences.md draws the line. The paper's accuracies are not claimed for it.

    image -> image backbone -> map of scale 1 -> mask 1 -> vector 1 --\\
                              map of scale 2 -> mask 2 -> vector 2 ---> weighted sum -> expression
                              ...                ^ coarse to fine      ^ weights       ^ branches
                              map of scale S -> mask S -> vector S --/  |              |
                                            \\-> mean -> pose -----------+--------------/

Scales are counted from the finest, as the backbone gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.errors import OptionError
from mien.nn.backbones import image_backbone
from mien.nn.checks import check_faces, check_multiple, check_sizes
from mien.nn.densenet import SMALL_BACKBONE, DenseNetConfig
from mien.nn.mobilefacenet import LIGHT_BACKBONE, OFFICIAL, MobileFaceNetConfig


@dataclass(frozen=True, kw_only=True)
class PhaNetConfig:
    """Sizes and switches. Defaults: our completion on DenseNet-121, for a data set with five poses."""

    classes: int = 7
    poses: int = 5  # 0: no pose task, and nothing that depends on a pose
    size_px: int = 224
    backbone: Literal["densenet", "mobilefacenet", "ir50"] = "densenet"
    dense: DenseNetConfig = DenseNetConfig()  # of a DenseNet
    image: MobileFaceNetConfig = OFFICIAL  # of a MobileFaceNet; IR-50 has no options
    width: int = 256
    attention: bool = True  # off: plain means instead of masks, and no attention losses
    scale_selection: bool = True  # off: every scale counts the same
    pose_branches: bool = True  # off: one expression head for all poses
    pose_gradient: float = 0.1  # share of the pose loss's gradient that goes on into the backbone
    select: int | None = None  # in eval mode only this many scales are kept; None: all, softly weighted
    temperature: float = 1.0  # of the scale weights; lower is harder
    dropout: float = 0.5

    def build(self) -> PhaNet:
        """The network, with random weights."""
        return PhaNet(self)


LIGHT = PhaNetConfig(classes=8, size_px=96, backbone="mobilefacenet", image=LIGHT_BACKBONE, width=192)
SMALL = PhaNetConfig(classes=8, size_px=96, dense=SMALL_BACKBONE, width=128)  # trains on two cores


class Scale(nn.Module):
    """One scale: the backbone's map at the common width, and the mask that it gives by itself."""

    def __init__(self, channels: int, width: int, *, attention: bool) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.mask_head = None
        if attention:
            self.mask_head = nn.Sequential(
                nn.Conv2d(width, width // 4, 3, padding=1, bias=False),
                nn.BatchNorm2d(width // 4),
                nn.ReLU(),
                nn.Conv2d(width // 4, 1, 1),
            )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map (B, channels, H, W) -> map (B, width, H, W), and logits of the mask (B, 1, H, W)."""
        x = self.project(x)
        return x, None if self.mask_head is None else self.mask_head(x)


class ScaleSelection(nn.Module):
    """The weights of the scales for a face in its pose."""

    def __init__(self, width: int, *, poses: int, scales: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Sequential(nn.Linear(width + poses, width // 4), nn.ReLU(), nn.Linear(width // 4, scales))

    def forward(self, vectors: Tensor, pose: Tensor | None) -> Tensor:
        """Vectors (B, S, width) and pose probabilities (B, poses) -> weights (B, S) that sum to 1."""
        x = self.norm(vectors.mean(dim=1))
        if pose is not None:
            x = torch.cat([x, pose], dim=1)
        return (self.gate(x) / self.temperature).softmax(dim=1)


class JointOutput(NamedTuple):
    """What `PhaNetLoss` reads. Parts that the config turns off are None or empty."""

    logits: Tensor  # (B, classes)
    pose_logits: Tensor | None  # (B, poses)
    auxiliary: tuple[Tensor, ...]  # of each scale, (B, classes): expression from its vector alone
    masks: tuple[Tensor, ...]  # of each scale, (B, 1, H, W) in 0..1
    scale_weights: Tensor | None  # (B, S)


class Encoding(NamedTuple):
    """An image up to the heads."""

    features: Tensor  # (B, width), what the heads read
    maps: tuple[Tensor, ...]  # of the backbone, (B, C, H, W)
    pose_logits: Tensor | None = None  # (B, poses)
    pose: Tensor | None = None  # (B, poses), probabilities; the expression sends no gradient through them
    masks: tuple[Tensor, ...] = ()  # (B, 1, H, W) in 0..1
    vectors: tuple[Tensor, ...] = ()  # (B, width)
    scale_weights: Tensor | None = None  # (B, S)


class PhaNet(nn.Module):
    """Upright face with a margin, turned however it is, (B, 3, size, size) -> logits (B, classes)."""

    def __init__(self, config: PhaNetConfig) -> None:
        super().__init__()
        self.config = config
        self.image_backbone = image_backbone(config.backbone, config.image, config.dense)
        channels = self.image_backbone.out_channels
        _check(config, scales=len(channels))
        width = config.width
        self.scales = nn.ModuleList(Scale(c, width, attention=config.attention) for c in channels)
        self.pose_head = self.selection = self.branches = None
        self.auxiliary = nn.ModuleList()
        if config.attention:
            self.auxiliary.extend(nn.Linear(width, config.classes) for _ in channels)
        if config.poses:
            self.pose_head = nn.Sequential(
                nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, config.poses)
            )
        if config.scale_selection:
            self.selection = ScaleSelection(
                width, poses=config.poses, scales=len(channels), temperature=config.temperature
            )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, config.classes)
        if config.poses and config.pose_branches:
            self.branches = nn.Linear(width, config.poses * config.classes, bias=False)
            nn.init.zeros_(self.branches.weight)  # every pose starts from the shared head

    def forward(self, x: Tensor) -> Tensor:
        return self._logits(self._encode(x))

    def features(self, x: Tensor) -> Tensor:
        """Face -> the vector (B, width) that the heads read."""
        return self._encode(x).features

    def joint(self, x: Tensor) -> JointOutput:
        """Face -> the input of `PhaNetLoss`."""
        encoding = self._encode(x)
        auxiliary = tuple(head(v) for head, v in zip(self.auxiliary, encoding.vectors, strict=False))
        return JointOutput(
            self._logits(encoding), encoding.pose_logits, auxiliary, encoding.masks, encoding.scale_weights
        )

    def intermediates(self, x: Tensor) -> dict[str, Tensor]:
        """Face -> intermediate tensors of `forward`, by name; S scales, 1 the finest.

        "logits" (B, classes), "features" (B, width), "maps.1" ... of the backbone (B, C, H, W); and as far as the
        config has them: "pose_logits" and, without gradient, the probabilities "pose" (B, poses), "masks.1" ...
        (B, 1, H, W) in 0..1, "vectors.1" ... (B, width), "scale_weights" (B, S).
        """
        encoding = self._encode(x)
        named = {"logits": self._logits(encoding), "features": encoding.features}
        for name in ("pose_logits", "pose", "scale_weights"):
            if (value := getattr(encoding, name)) is not None:
                named[name] = value
        for name in ("maps", "masks", "vectors"):
            named |= {f"{name}.{s}": value for s, value in enumerate(getattr(encoding, name), 1)}
        return named

    def _encode(self, x: Tensor) -> Encoding:
        config = self.config
        check_faces(x, config.size_px)
        maps = self.image_backbone(x)
        projected, mask_logits = zip(*(scale(y) for scale, y in zip(self.scales, maps, strict=True)), strict=True)
        pose_logits = pose = None
        if self.pose_head is not None:  # before attention: the pose needs the pooled face
            pooled = projected[-1].mean(dim=(2, 3))
            pose_logits = self.pose_head(scaled_gradient(pooled, config.pose_gradient) if self.training else pooled)
            pose = pose_logits.detach().softmax(dim=1)
        if config.attention:
            masks = tuple(logits.sigmoid() for logits in coarse_to_fine(mask_logits))
            vectors = tuple(masked_mean(y, mask) for y, mask in zip(projected, masks, strict=True))
        else:
            masks, vectors = (), tuple(y.mean(dim=(2, 3)) for y in projected)
        stacked = torch.stack(vectors, dim=1)  # (B, S, width)
        if self.selection is None:
            weights = stacked.new_full(stacked.shape[:2], 1 / len(vectors))
        else:
            weights = self.selection(stacked, pose)
        if config.select is not None and not self.training:
            weights = strongest_only(weights, config.select)
        features = (weights.unsqueeze(2) * stacked).sum(dim=1)  # (B, width)
        return Encoding(features, maps, pose_logits, pose, masks, vectors, weights)

    def _logits(self, encoding: Encoding) -> Tensor:
        z = self.dropout(encoding.features)
        logits = self.head(z)
        if self.branches is not None and encoding.pose is not None:
            per_pose = self.branches(z).unflatten(1, (self.config.poses, -1))  # (B, poses, classes)
            logits = logits + (encoding.pose.unsqueeze(2) * per_pose).sum(dim=1)
        return logits


ExpressionLoss = Callable[[Tensor, Tensor], Tensor]


class PhaNetLoss(nn.Module):
    """Expression, pose and attention losses with learned weights.

    Each task t has a learned log-variance s_t, and the sum is that of exp(-s_t) L_t + s_t (Kendall et al.,
    "Multi-task learning using uncertainty to weigh losses", 2018). Give `parameters()` to the optimizer
    too, without weight decay: they are scalars, so the usual rule (no decay on vectors) leaves them out.
    A network with only the expression task has none: its loss is the cross-entropy.
    """

    LIMIT = 3.0  # log-variances are held in -3..3: a task counts 1/20 to 20 times
    CONSTRAINT = 0.1  # of consistency and compactness, beside the cross-entropy of a scale
    LOOSEST = 0.4  # mean of a mask that is not yet punished

    def __init__(self, config: PhaNetConfig) -> None:
        super().__init__()
        tasks = ["expression", *(["pose"] if config.poses else []), *(["attention"] if config.attention else [])]
        self.log_variances = nn.ParameterDict(
            {task: nn.Parameter(torch.zeros(())) for task in tasks if len(tasks) > 1}
        )

    def forward(
        self,
        joint: JointOutput,
        expression: Tensor,
        pose: Tensor | None = None,
        *,
        expression_loss: ExpressionLoss = F.cross_entropy,
        auxiliary_loss: ExpressionLoss | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """`PhaNet.joint`'s output and targets -> the loss to minimise, and each task's loss before its weight.

        `expression`: classes (B,) or distributions (B, classes). `pose`: classes (B,), -1 where unknown;
        without any known pose its term is left out, log-variance and all. `expression_loss`: of logits and
        `expression`, the mean over the batch; `auxiliary_loss`: the same for each scale's own prediction.
        """
        parts = {"expression": expression_loss(joint.logits, expression)}
        present = {"expression": torch.ones_like(parts["expression"])}
        if pose is not None and joint.pose_logits is not None:
            known = (pose >= 0).sum()
            losses = F.cross_entropy(joint.pose_logits, pose, ignore_index=-1, reduction="sum")
            parts["pose"] = losses / known.clamp(min=1)
            present["pose"] = (known > 0).to(losses.dtype)
        if joint.masks:
            parts["attention"] = self.attention(joint, expression, auxiliary_loss or expression_loss)
            present["attention"] = present["expression"]
        if not self.log_variances:
            return parts["expression"], {"expression": parts["expression"].detach()}
        terms = [present[task] * self.weighted(task, loss) for task, loss in parts.items()]
        return torch.stack(terms).sum(), {task: loss.detach() for task, loss in parts.items()}

    def weighted(self, task: str, loss: Tensor) -> Tensor:
        """exp(-s) L + s."""
        s = self.log_variances[task].clamp(-self.LIMIT, self.LIMIT)
        return torch.exp(-s) * loss + s

    def attention(
        self, joint: JointOutput, expression: Tensor, expression_loss: ExpressionLoss = F.cross_entropy
    ) -> Tensor:
        """Mean over the scales: expression from each vector, consistency and compactness of the masks."""
        total = torch.zeros_like(joint.logits[0, 0])
        for logits, mask in zip(joint.auxiliary, joint.masks, strict=True):
            total = total + expression_loss(logits, expression)
            total = total + self.CONSTRAINT * compactness(mask, self.LOOSEST)
        for fine, coarse in zip(joint.masks[:-1], joint.masks[1:], strict=True):
            total = total + self.CONSTRAINT * consistency(fine, coarse)
        return total / len(joint.masks)


def coarse_to_fine(mask_logits: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Logits of each scale (B, 1, H, W), finest first -> the same with those of every coarser scale added."""
    sums = [mask_logits[-1]]
    for own in reversed(mask_logits[:-1]):
        sums.append(own + F.interpolate(sums[-1], size=own.shape[-2:], mode="bilinear"))
    return tuple(reversed(sums))


def scaled_gradient(x: Tensor, share: float) -> Tensor:
    """`x` itself; only a share of its gradient flows back."""
    return x * share + x.detach() * (1 - share)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of a map (B, C, H, W) weighted by a mask (B, 1, H, W) -> (B, C)."""
    mask = mask.flatten(2).transpose(1, 2)  # (B, HW, 1)
    return (x.flatten(2) @ mask).squeeze(2) / (mask.sum(dim=1) + 1e-6)


def strongest_only(weights: Tensor, count: int) -> Tensor:
    """The `count` largest weights (B, S), summing to 1 again; the others are 0."""
    kept = weights.topk(count, dim=1)
    weights = torch.zeros_like(weights).scatter(1, kept.indices, kept.values)
    return weights / weights.sum(dim=1, keepdim=True)


def consistency(fine: Tensor, coarse: Tensor) -> Tensor:
    """Mean squared error of a mask, averaged onto the coarser grid, to the coarser mask, which gets no gradient."""
    h, w = coarse.shape[-2:]
    return F.mse_loss(F.adaptive_avg_pool2d(fine, (h, w)), coarse.detach())


def compactness(mask: Tensor, loosest: float) -> Tensor:
    """Squared excess of each mask's mean (B, 1, H, W) over `loosest`: against the mask of all ones."""
    return F.relu(mask.mean(dim=(1, 2, 3)) - loosest).square().mean()


def _check(config: PhaNetConfig, *, scales: int) -> None:
    check_sizes(classes=config.classes, size_px=config.size_px)
    check_multiple("width", config.width, 4, why="as a mask head has a quarter of it")
    check_sizes(poses=config.poses or 1)
    if config.poses == 1:
        raise OptionError(f"poses is 0, no pose task, or at least 2, not {config.poses}")
    if config.select is not None and not 1 <= config.select <= scales:
        raise OptionError(f"select is 1 to {scales}, the scales of this backbone, or None; not {config.select}")
    if not config.temperature > 0:
        raise OptionError(f"temperature is above 0, not {config.temperature:g}")
    if not 0 <= config.pose_gradient <= 1:
        raise OptionError(f"pose_gradient is a share between 0 and 1, not {config.pose_gradient:g}")
