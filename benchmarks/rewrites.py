"""The gain of each rewrite by itself: the same part before and after, at the sizes of the authors' networks.

On one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from mien.models.apvit import strongest, take_rows
from mien.models.poster_v2 import Block, WindowCrossAttention
from mien.nn.attention import attend
from mien.nn.backbones import nearest
from mien.nn.fold import folded
from mien.nn.iresnet import IR50
from mien.nn.linear import OneDnnLinear, StreamLinear
from mien.nn.mobilefacenet import OFFICIAL, MobileFaceNet
from official import apvit as official_apvit
from official.backbones import LandmarkBackbone
from official.poster_v2 import WindowAttention
from official.vectors import in_heads, join_heads
from timing import Times, in_turns


@torch.inference_mode()
def rewrites(*, rounds: int, batches: Sequence[int], clock: Callable[[], float]) -> dict[str, Times]:
    """Median milliseconds of each part before and after."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    parts = [
        one_slice, dead_head, fused_attention, window_attention, class_row, stacked_streams, row_gather,
        channels_last, folding_image, folding_landmarks, onednn_linear,
    ]  # fmt: skip
    result: dict[str, Times] = {}
    for part in parts:
        for batch in batches:
            name, calls = part(batch)
            turns = rounds if batch == 1 else max(rounds // 4, 2)
            result[f"{name}, batch {batch}"] = in_turns(calls, rounds=turns, clock=clock)
    return result


Part = tuple[str, dict[str, Callable[[], Any]]]


def one_slice(batch: int) -> Part:
    x = torch.randn(batch, 3, 224, 224)
    return "224 to 112 pixels", {
        "resize for each backbone": lambda: (F.interpolate(x, size=112), F.interpolate(x, size=112)),
        "one slice": lambda: nearest(x, 112).contiguous(),
    }


def dead_head(batch: int) -> Part:
    x = torch.randn(batch, 3, 112, 112)
    official, ours = LandmarkBackbone().eval(), MobileFaceNet(OFFICIAL).eval()
    return "landmark backbone", {"with its unused head": lambda: official(x), "without": lambda: ours(x)}


def fused_attention(batch: int) -> Part:
    q, k, v = torch.randn(3, batch, 161, 768)

    def unfused() -> torch.Tensor:
        weights = ((in_heads(q, 8) @ in_heads(k, 8).transpose(-2, -1)) * 96**-0.5).softmax(dim=-1)
        return join_heads(weights @ in_heads(v, 8))

    return "attention of APViT", {"unfused": unfused, "fused": lambda: attend(q, k, v, heads=8)}


def window_attention(batch: int) -> Part:
    image, landmarks = torch.randn(2, batch, 28, 28, 64)
    before = WindowAttention(64, 28, 2).eval()
    image_tokens, landmark_tokens = image.flatten(1, 2), landmarks.flatten(1, 2)
    with torch.inference_mode(False):
        after = WindowCrossAttention(64, heads=2, window=28).eval()
    return "finest attention of POSTER++", {
        "bias gathered, unfused": lambda: before(image_tokens, landmark_tokens),
        "bias cached, fused": lambda: after(image, landmarks),
    }


def class_row(batch: int) -> Part:
    x, block = torch.randn(batch, 148, 768), Block(768, heads=8, mlp_ratio=4.0).eval()
    return "last block of POSTER++", {
        "all rows": lambda: block(x),
        "class row": lambda: block(x, class_only=True),
    }


def stacked_streams(batch: int) -> Part:
    x = torch.randn(2, batch, 50, 512)
    one, two, both = nn.Linear(512, 1024), nn.Linear(512, 1024), StreamLinear(512, 1024)
    return "keys and values of both streams of POSTER", {
        "one after the other": lambda: (one(x[0]), two(x[1])),
        "one batched product": lambda: both(x),
    }


def row_gather(batch: int) -> Part:
    x, scores = torch.randn(batch, 196, 768), torch.randn(batch, 196)
    return "160 of 196 patches of APViT", {
        "an index for each number": lambda: x.gather(1, official_apvit.strongest(scores, 160)),
        "an index for each row": lambda: take_rows(x, strongest(scores, 160)),
    }


def channels_last(batch: int) -> Part:
    x = torch.randn(batch, 3, 112, 112)
    network = IR50().eval()
    last = IR50().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def first() -> torch.Tensor:
        y = network.input_layer(x)
        for stage in network.body:
            y = stage(y)
        return y

    return "IR-50", {"channels first": first, "channels last": lambda: last(x)}


def folding_image(batch: int) -> Part:
    x = torch.randn(batch, 3, 112, 112)
    network = IR50().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    fast = folded(network)
    return "IR-50, channels last", {"as trained": lambda: network(x), "folded": lambda: fast(x)}


def folding_landmarks(batch: int) -> Part:
    x = torch.randn(batch, 3, 112, 112)
    network = MobileFaceNet(OFFICIAL).eval()
    fast = folded(network)
    return "MobileFaceNet", {"as trained": lambda: network(x), "folded, channels last": lambda: fast(x)}


def onednn_linear(batch: int) -> Part:
    x = torch.randn(batch, 161, 768)
    before, after = nn.Linear(768, 2304), OneDnnLinear(768, 2304)
    return "linear map 768 to 2304 of APViT", {"by MKL": lambda: before(x), "by oneDNN": lambda: after(x)}
