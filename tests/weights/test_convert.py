"""Official files become a safetensors file and its manifest, or nothing is written."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import mien
from mien.errors import OptionError, OutputError, WeightsError
from mien.models import build
from mien.nn.densenet import SMALL_BACKBONE, DenseNet
from mien.nn.iresnet import IR50
from mien.weights.convert import convert
from mien.weights.manifest import load_manifest
from mien.weights.official import backbones
from mien.weights.official.apvit import vit_small_shapes
from mien.weights.verify import verify


@pytest.fixture(scope="module")
def landmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 68-landmark file as it is published, with fresh numbers."""
    torch.manual_seed(0)
    state = {f"module.{k.removeprefix('backbone.')}": v for k, v in build("landmarks68").state_dict().items()}
    path = tmp_path_factory.mktemp("official") / "mobilefacenet_model_best.pth.tar"
    torch.save({"epoch": 1, "state_dict": state}, path)
    return path


def test_a_file_is_converted_and_loads_in_python(landmarks: Path, tmp_path: Path) -> None:
    written = convert(landmarks, tmp_path / "points.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["points.json", "points.safetensors"]
    manifest = load_manifest(str(tmp_path / "points.safetensors"))
    assert manifest == written
    assert manifest.name == "points"
    source = "the 68-landmark network, converted from mobilefacenet_model_best.pth.tar, SHA-256 "
    assert manifest.source.startswith(source)
    assert [check.passed for check in verify(manifest)] == [True, True, True]
    network = mien.load_network(tmp_path / "points.safetensors")
    assert network.manifest == manifest
    assert not network.training
    wanted = torch.load(landmarks)["state_dict"]
    for name, value in network.state_dict().items():
        assert torch.equal(value, wanted[f"module.{name.removeprefix('backbone.')}"])


def test_a_folder_read_by_everybody_stays_so(landmarks: Path, tmp_path: Path) -> None:
    convert(landmarks, tmp_path / "points.safetensors")
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1  # the safetensors file is as readable as its manifest


def test_parts_are_converted_and_verified_but_read_no_expressions(tmp_path: Path) -> None:
    torch.manual_seed(0)
    backbone = {backbones.ir50_flat(key): value for key, value in IR50().state_dict().items()}
    theirs = {"pos_embed": torch.rand(1, 197, 768)}
    for name, value in vit_small_shapes().items():
        if not name.endswith("pos_embed"):
            name = name.replace(".qkv", ".attn.qkv").replace(".proj", ".attn.proj")
            theirs[name] = torch.rand(()).expand(value.shape)
    dense = DenseNet(SMALL_BACKBONE).state_dict()
    dense |= {
        "classifier.weight": torch.rand(1000, SMALL_BACKBONE.out_channels[-1]),
        "classifier.bias": torch.rand(1000),
    }
    for name, state, checks in (("ir50", backbone, 3), ("vit", theirs, 2), ("dense", dense, 3)):
        torch.save(state, tmp_path / f"{name}.pth")
        manifest = convert(tmp_path / f"{name}.pth", tmp_path / f"{name}.safetensors")
        assert [check.passed for check in verify(manifest)] == [True] * checks
        with pytest.raises(OptionError, match="to start a training from; they read no expressions"):
            mien.load(tmp_path / f"{name}.safetensors")
    assert type(mien.load_network(tmp_path / "ir50.safetensors")) is IR50
    assert type(mien.load_network(tmp_path / "dense.safetensors")) is DenseNet
    network = mien.build("phanet", config_name="small")
    network.image_backbone.load_state_dict(mien.load_network(tmp_path / "dense.safetensors").state_dict())
    with pytest.raises(WeightsError, match="does not run alone"):
        mien.load_network(tmp_path / "vit.safetensors")


def test_what_is_there_is_kept_unless_forced(landmarks: Path, tmp_path: Path) -> None:
    target = tmp_path / "points.safetensors"
    (tmp_path / "points.json").write_text("mine")
    with pytest.raises(OutputError, match=r"points\.json: there already; overwrite \(--overwrite\)"):
        convert(landmarks, target)
    assert (tmp_path / "points.json").read_text() == "mine"
    convert(landmarks, target, overwrite=True)
    assert load_manifest(str(target)).network == "landmarks68"


@pytest.mark.parametrize(
    ("target", "kind", "reason"),
    [
        ("points.pth", OptionError, "must end in .safetensors"),
        ("absent/points.safetensors", OutputError, "absent does not exist; make it first"),
    ],
)
def test_a_target_that_cannot_be_is_said_before_reading(
    target: str, kind: type[Exception], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=reason):
        convert(tmp_path / "not read.pth", tmp_path / target)


def test_a_full_disk_leaves_no_file(landmarks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match=r"points\.safetensors cannot be written: .*No space left"):
        convert(landmarks, tmp_path / "points.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_none_are_refused(landmarks: Path, tmp_path: Path) -> None:
    saved: dict[str, Any] = torch.load(landmarks)
    saved["state_dict"]["module.conv1.conv.weight"][0, 0, 0, 0] = float("nan")
    torch.save(saved, tmp_path / "nan.pth")
    with pytest.raises(WeightsError, match=r"holds NaN or infinity in 1 tensors, backbone\.conv1\.conv\.weight"):
        convert(tmp_path / "nan.pth", tmp_path / "points.safetensors")


def test_keep_rates_are_apvits(landmarks: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="belong to APViT; this is landmarks68"):
        convert(landmarks, tmp_path / "points.safetensors", keep_rates=(1.0,))


def test_a_record_of_other_sizes_is_refused(landmarks: Path, tmp_path: Path) -> None:
    convert(landmarks, tmp_path / "points.safetensors")
    values = json.loads((tmp_path / "points.json").read_text())
    values["config"]["backbone"]["width"] = 0.5
    (tmp_path / "points.json").write_text(json.dumps(values))
    with pytest.raises(WeightsError, match=r"points\.json: the safetensors file does not fit Landmarks68"):
        mien.load_network(tmp_path / "points.json")
