"""In which precision a network runs: single, or eight-bit integers where the processor multiplies them faster."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from mien.errors import OptionError

PRECISIONS = ("auto", "float32", "int8")
_WIDE_PRODUCTS = "AVX2"  # instructions with which int8 was measured to be faster; docs/performance.md


def check_precision(precision: str) -> None:
    """Raise `OptionError` for a value that is none of `PRECISIONS`."""
    if precision not in PRECISIONS:
        raise OptionError(f"precision is {precision!r}; it can be {', '.join(map(repr, PRECISIONS))}")


@lru_cache(maxsize=1)
def int8_is_faster() -> bool:
    """Whether this processor has the instructions for it. The same on every call, however busy the machine is."""
    for module in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):  # numpy 2, numpy 1
        try:
            features: dict[str, bool] = import_module(module).__cpu_features__
        except (ImportError, AttributeError):
            continue
        return features.get(_WIDE_PRODUCTS, False)
    return False
