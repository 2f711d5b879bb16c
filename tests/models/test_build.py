"""Networks by name."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from mien.errors import MienError, UnknownName
from mien.models import NETWORKS, build, configure


def test_the_table_of_networks_does_not_import_torch() -> None:
    code = "import mien.models, sys; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_an_unknown_network_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'poster_v2'"):
        build("postr_v2")


def test_every_name_leads_to_a_network_and_its_config() -> None:
    pytest.importorskip("torch")
    for name in NETWORKS:
        network, config = configure(name)
        assert network.__init__.__annotations__["config"] == type(config).__name__


def test_an_unknown_option_is_answered_with_the_known_ones() -> None:
    pytest.importorskip("torch")
    with pytest.raises(MienError, match=r"apvit has no option 'clases'; it has classes, size_px, trunk"):
        build("apvit", clases=8)


def test_an_unknown_form_size_or_trunk_is_answered_with_the_known_ones() -> None:
    pytest.importorskip("torch")
    with pytest.raises(UnknownName, match="Did you mean 'light'"):
        build("poster", form="ligth")
    with pytest.raises(UnknownName, match=r"No size of POSTER called 'huge'\. Known: base, large, small"):
        build("poster", size="huge")
    with pytest.raises(UnknownName, match="No image trunk called 'resnet'"):
        build("apvit", trunk="resnet")


def test_changes_replace_fields_of_the_config() -> None:
    pytest.importorskip("torch")
    from mien.models.poster import LIGHT, PosterConfig

    assert configure("poster", size="small", token_mix=False, classes=8)[1] == PosterConfig(
        size="small", token_mix=False, classes=8
    )
    assert configure("poster", form="light", classes=7)[1] == replace(LIGHT, classes=7)
