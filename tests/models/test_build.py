"""Networks by name."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from mien.errors import InputError, MienError, OptionError, UnknownNameError
from mien.models import NETWORKS, build, configure


def test_the_table_of_networks_does_not_import_torch() -> None:
    code = "import mien.models, sys; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_an_unknown_network_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'poster_v2'"):
        build("postr_v2")


def test_every_name_leads_to_a_network_and_its_config() -> None:
    pytest.importorskip("torch")
    for name in NETWORKS:
        config = configure(name)
        assert config.build().__init__.__annotations__["config"] == type(config).__name__


def test_an_unknown_option_is_answered_with_the_known_ones() -> None:
    pytest.importorskip("torch")
    with pytest.raises(MienError, match=r"apvit has no option 'clases'; it has classes, size_px, backbone"):
        build("apvit", clases=8)


def test_an_unknown_form_size_or_backbone_is_answered_with_the_known_ones() -> None:
    pytest.importorskip("torch")
    with pytest.raises(UnknownNameError, match="Did you mean 'light'"):
        build("poster", config_name="ligth")
    with pytest.raises(UnknownNameError, match=r"No size of POSTER called 'huge'\. Known: base, large, small"):
        build("poster", size="huge")
    with pytest.raises(UnknownNameError, match="No image backbone called 'resnet'"):
        build("apvit", backbone="resnet")


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("poster", {"classes": 0}, "classes is a whole number from 1 on, not 0"),
        ("poster", {"size_px": 100}, "size_px is a multiple of 16"),
        ("poster", {"heads": 7}, "width is a multiple of 28"),
        ("poster", {"drop_path": 2}, "drop_path is at least 0 and below 1, not 2"),
        ("poster_v2", {"drop_path": (0.0, 0.1, 1.0)}, "drop_path is at least 0 and below 1, not 1.0"),
        ("poster_v2", {"classes": 7.0}, "classes is a whole number from 1 on, not 7.0"),
        ("poster_v2", {"heads": 4}, "heads are three values, one for each level, not 4"),
        ("poster_v2", {"windows": (5, 6, 6)}, "5 does not divide 24"),
        ("poster_v2", {"vit_heads": 5}, "width is a multiple of 5, the vit_heads; not 192"),
        ("apvit", {"classes": -1}, "classes is a whole number from 1 on, not -1"),
        ("apvit", {"keep_patches": 197}, "keep_patches is at most 196"),
        ("apvit", {"keep_rates": ()}, "keep_rates are one number for each block"),
        ("apvit", {"keep_rates": (0.5, 2.0)}, "keep_rates are one number for each block"),
        ("apvit", {"keep_rates": (0.01, 0.01)}, "that leave at least one of 160 patches"),
        ("apvit", {"patch_score": "mean"}, "No score of APViT called 'mean'"),
        ("phanet", {"classes": 0}, "classes is a whole number from 1 on, not 0"),
        ("phanet", {"temperature": float("nan")}, "temperature is above 0"),
    ],
)
def test_sizes_that_cannot_be_are_refused_before_anything_is_built(
    name: str, changes: dict[str, Any], said: str
) -> None:
    pytest.importorskip("torch")
    with pytest.raises(OptionError, match=re.escape(said)):
        build(name, config_name="light", **changes)


@pytest.mark.parametrize("name", ["poster", "poster_v2", "apvit", "phanet"])
def test_input_that_is_no_batch_of_faces_is_answered_with_the_right_shape(name: str) -> None:
    torch = pytest.importorskip("torch")
    network = build(name, config_name="light").eval()
    side = network.config.size_px
    for shape in ((3, side, side), (2, 1, side, side), (2, side, side, 3), (2, 3, side, 2 * side), (2, 3, 50, 50)):
        with pytest.raises(InputError, match=rf"reads \(B, 3, {side}, {side}\).*, not {re.escape(str(shape))}"):
            network(torch.zeros(shape))
    with pytest.raises(InputError, match=r"normalised floats, not torch\.uint8"):
        network(torch.zeros(2, 3, side, side, dtype=torch.uint8))
    assert network(torch.zeros(0, 3, side, side)).shape == (0, network.config.classes)


def test_changes_replace_fields_of_the_config() -> None:
    pytest.importorskip("torch")
    from mien.models.poster import LIGHT, PosterConfig

    assert configure("poster", size="small", token_mix=False, classes=8) == PosterConfig(
        size="small", token_mix=False, classes=8
    )
    assert configure("poster", config_name="light", classes=7) == replace(LIGHT, classes=7)
