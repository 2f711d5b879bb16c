"""What a manifest says of an official file that the file itself does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from mien.errors import OptionError, UnknownNameError
from mien.faces.framing import Framing
from mien.labels import label_set
from mien.models.apvit import APViTConfig
from mien.models.landmarks68 import Landmarks68Config
from mien.models.poster import PosterConfig
from mien.models.poster_v2 import PosterV2Config
from mien.weights.official import FAMILIES, Converted
from mien.weights.official.facts import OFFICIAL, Facts, facts, framed


def known(network: str, config: Any = None, labels: str | None = None, channels: str | None = None) -> Facts:
    converted = Converted(network=network, state={}, config=config)
    return facts(converted, labels=labels, channels=channels, source="file.pth")


def test_every_family_is_described() -> None:
    assert OFFICIAL.keys() == FAMILIES.keys()


@pytest.mark.parametrize(
    ("token_mix", "labels", "channels", "template", "claimed"),
    [
        (True, "raf-db", "bgr", "face", 0.9205),
        (True, "affectnet-7", "rgb", "box", 0.6731),
        (False, "affectnet-7", "rgb", "box", 0.6731),
    ],
)
def test_poster_is_fed_as_the_loader_of_its_data_set_does(
    token_mix: bool, labels: str, channels: str, template: str, claimed: float
) -> None:
    found = known("poster", PosterConfig(token_mix=token_mix), labels)
    assert (found.labels, found.inputs.channels, found.inputs.template) == (labels, channels, template)
    assert found.inputs.size_px == 224
    assert found.paper["accuracy"] == claimed
    assert "framing is close" in found.notes[-1]


def test_the_statistics_stay_in_place_when_colours_are_swapped() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    as_opencv = crops[..., ::-1] / 255  # blue first
    official = (as_opencv - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    inputs = known("poster", PosterConfig(), "raf-db").inputs
    np.testing.assert_allclose(inputs.normalise(crops), official.transpose(0, 3, 1, 2), atol=1e-5)
    assert inputs.mean == (0.406, 0.456, 0.485)


def test_what_was_said_of_the_colours_counts() -> None:
    assert known("poster", PosterConfig(), "raf-db", "rgb").inputs.channels == "rgb"
    assert known("poster_v2", PosterV2Config(), "raf-db", "bgr").inputs.channels == "bgr"
    assert known("poster", PosterConfig(token_mix=False), "raf-db", "rgb").inputs.mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize(
    ("network", "config", "labels", "reason"),
    [
        (
            "poster",
            PosterConfig(),
            None,
            r"file\.pth is POSTER large, RAF-DB variant with 7 classes.*which order they",
        ),
        (
            "poster",
            PosterConfig(),
            None,
            "which colour order.*--labels; with 7 classes: fer2013, raf-db, affectnet-7",
        ),
        (
            "poster_v2",
            PosterV2Config(classes=8),
            None,
            "sorted names of the folders.*8 classes: ferplus, affectnet-8",
        ),
        ("poster", PosterConfig(classes=8), "raf-db", "with 8 classes, but --labels raf-db has 7"),
        ("poster_v2", PosterV2Config(classes=5), None, "with 5 classes: none of ours"),
        ("poster", PosterConfig(), "fer2013", "no code that trains it on fer2013: say with --channels"),
        ("poster", PosterConfig(token_mix=False), "raf-db", "AffectNet variant.*--channels"),
        ("apvit", APViTConfig(classes=11), None, "11 classes; the authors' code knows an order for 7 and for 8"),
        ("apvit", APViTConfig(), "affectnet-8", "with 7 classes, but --labels affectnet-8 has 8"),
        ("ir50", None, "raf-db", "IR-50, an image backbone: it has no classes; leave --labels out"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_said(
    network: str, config: Any, labels: str | None, reason: str
) -> None:
    with pytest.raises(OptionError, match=reason):
        known(network, config, labels)


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ("happy, sad,bored,angry,calm,x,y", ("happiness", "sadness", "bored", "anger", "neutral", "x", "y")),
        ("angry,disgust,fear,sad,happy,surprised,neutral", tuple(label_set("apvit-7"))),
    ],
)
@pytest.mark.parametrize(("network", "config"), [("poster_v2", PosterV2Config()), ("apvit", APViTConfig())])
def test_classes_of_ones_own_are_named_with_commas(
    network: str, config: Any, labels: str, wanted: tuple[str, ...]
) -> None:
    found = known(network, config, labels)
    assert found.labels == wanted
    assert found.paper == {}


@pytest.mark.parametrize(
    ("labels", "reason"),
    [("happy,sad,bored", "7 classes, but --labels happiness,sadness,bored has 3"), ("happy,joy", "happy,joy: ")],
)
def test_own_classes_that_do_not_fit_are_refused(labels: str, reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        known("poster_v2", PosterV2Config(), labels)


def test_an_unknown_label_set_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'raf-db'"):
        known("poster", PosterConfig(), "rafdb")


@pytest.mark.parametrize("labels", [None, "raf-db"])
def test_apvit_has_its_own_order_whatever_it_was_trained_on(labels: str | None) -> None:
    found = known("apvit", APViTConfig(), labels)
    assert found.labels is not None
    names = list(label_set(found.labels))
    assert names == ["anger", "disgust", "fear", "sadness", "happiness", "surprise", "neutral"]
    assert (found.inputs.size_px, found.inputs.template, found.inputs.channels) == (112, "arcface", "rgb")
    assert found.paper["accuracy"] == 0.9198


def test_the_numbers_of_raf_db_become_apvits_as_in_its_code() -> None:
    raf, own = label_set("raf-db"), label_set("apvit-7")
    assert [own.index(label) for label in raf] == [5, 2, 1, 4, 3, 0, 6]  # APViT 9efaf97, datasets/raf.py


def test_claims_are_made_only_for_the_sizes_that_were_reported() -> None:
    assert known("poster", PosterConfig(size="small"), "raf-db").paper == {}
    assert known("poster_v2", PosterV2Config(), "fer2013").paper == {}
    assert known("poster_v2", PosterV2Config(), "caer-s").paper["accuracy"] == 0.93


def test_the_landmark_file_sees_opencvs_images_without_statistics() -> None:
    inputs = known("landmarks68", Landmarks68Config()).inputs
    crops = np.array([[[[255, 51, 0]]]], np.uint8)
    assert inputs.normalise(crops).ravel().tolist() == pytest.approx([0, 0.2, 1])


def test_classes_of_ones_own_are_to_be_compared_with_the_training_folders() -> None:
    (order, _) = known("poster_v2", PosterV2Config(classes=2), "happy,bored").notes
    assert "in the order given" in order
    assert "sorted names of the training folders: check" in order


def test_the_framing_of_ones_own_copy_takes_the_place_of_a_close_one() -> None:
    points = ((0.35, 0.4), (0.65, 0.4), (0.5, 0.6), (0.38, 0.75), (0.62, 0.75))
    framing = Framing(title="RAF-DB", points=points, spread=0.03, aspect=1.0, faces=90, images=100)
    close = known("poster", PosterConfig(), "raf-db")
    own = framed(close, framing)
    assert own.inputs == replace(close.inputs, template="image", points=points)
    assert own.notes == (framing.describe(),)
    assert len(framed(known("poster_v2", PosterV2Config(), "affectnet-7"), framing).notes) == 2  # and the order
    with pytest.raises(OptionError, match="reads no expressions; leave --framing out"):
        framed(known("ir50"), framing)
