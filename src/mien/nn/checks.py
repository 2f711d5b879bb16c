"""Checks of network configs, before a network is built, and of its input."""

from __future__ import annotations

from numbers import Integral, Real

from torch import Tensor

from mien.errors import InputError, OptionError

LARGEST = 1_000_000  # of any size


def check_sizes(**sizes: int) -> None:
    """Raise `OptionError` for the first that is no whole number from 1 on, or larger than any network."""
    for name, size in sizes.items():
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise OptionError(f"{name} is a whole number from 1 on, not {size!r}")
        if size > LARGEST:
            raise OptionError(f"{name} is at most {LARGEST:,}, not {size:,}")


def check_multiple(name: str, size: int, unit: int, *, why: str) -> None:
    """Raise `OptionError` where `size` is not a multiple of `unit`."""
    check_sizes(**{name: size})
    if size % unit:
        raise OptionError(f"{name} is a multiple of {unit}, {why}; not {size}")


def check_drop(name: str, rate: float) -> None:
    """Raise `OptionError` where `rate`, a probability to drop something, is not at least 0 and below 1."""
    if isinstance(rate, bool) or not isinstance(rate, Real) or not 0 <= rate < 1:
        raise OptionError(f"{name} is at least 0 and below 1, not {rate!r}")


def check_faces(x: Tensor, size_px: int, *, larger: bool = False) -> None:
    """Raise `InputError` where `x` is no batch of normalised faces (B, 3, size, size); `larger`: or longer."""
    side = x.shape[-1] if x.dim() == 4 and x.shape[1] == 3 and x.shape[2] == x.shape[3] else 0
    if side != size_px and (not larger or side < size_px):
        raise InputError(
            f"this network reads (B, 3, {size_px}, {size_px}){' or larger squares' if larger else ''}, "
            f"not {tuple(x.shape)}: resize the faces first, colours before rows and columns"
        )
    if not x.is_floating_point():
        raise InputError(f"this network reads normalised floats, not {x.dtype}: see `Preprocess.normalise`")
