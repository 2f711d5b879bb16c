"""A training step as one CUDA graph: recorded once, then started by a single call.

The kernels of a small network are shorter than the time that the processor takes to start them one by one. Inputs
lie in fixed tensors. What is drawn in the step (dropout, stochastic depth) follows from the seed that was set
before it is started, as in a step that is not recorded.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

B = TypeVar("B", bound=Any)  # a dataclass of tensors and None


class Recorder(Protocol):
    """Records a call and repeats it."""

    def aside(self) -> Any:
        """A context for what warms up before recording."""
        ...

    def record(self, call: Callable[[], None]) -> None:
        """Record `call`, once; nothing of it may be computed yet. Raises `RuntimeError` where that fails."""
        ...

    def replay(self) -> None:
        """Start what was recorded."""
        ...

    def read(self, value: Tensor) -> Callable[[], float]:
        """The number that `value` () holds at this point; the result waits for it."""
        ...


class Repeated:
    """Without a GPU: the call itself is repeated."""

    def __init__(self) -> None:
        self._call: Callable[[], None] | None = None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Nothing to arrange."""
        yield

    def record(self, call: Callable[[], None]) -> None:
        """Keep the call."""
        self._call = call

    def replay(self) -> None:
        """Call it."""
        if self._call is not None:
            self._call()

    def read(self, value: Tensor) -> Callable[[], float]:
        """The number as it is now."""
        number = float(value)
        return lambda: number


class CudaRecorder:
    """One CUDA graph on a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._graph = torch.cuda.CUDAGraph()
        self._event = torch.cuda.Event(blocking=True)  # several runs share the processor: none waits busily
        self._number = torch.empty((), pin_memory=True)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The stream on which the graph will be recorded."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            yield
        current.wait_stream(self._stream)

    def record(self, call: Callable[[], None]) -> None:
        """Record `call` without running it."""
        current = torch.cuda.current_stream(self._device)
        try:
            with torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode="thread_local"):
                call()
        except Exception as error:
            self._abandon(current)
            raise RuntimeError(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}") from error

    def _abandon(self, current: torch.cuda.Stream) -> None:
        """Neither the stream nor the default generator may go on as if they were recorded."""
        torch.cuda.set_stream(current)
        index = torch.cuda.current_device() if self._device.index is None else self._device.index
        fresh = torch.Generator(torch.device("cuda", index))
        torch.cuda.default_generators[index].graphsafe_set_state(fresh.graphsafe_get_state())
        torch.cuda.synchronize(self._device)
        gc.collect()
        torch.cuda.empty_cache()

    def replay(self) -> None:
        """Start the graph on the current stream."""
        self._graph.replay()

    def read(self, value: Tensor) -> Callable[[], float]:
        """One number is on its way at a time."""
        self._number.copy_(value, non_blocking=True)
        self._event.record()

        def wait() -> float:
            self._event.synchronize()
            return float(self._number)

        return wait


class SavedTensors:
    """Copies of tensors, taken and put back in a few kernels."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        for tensor in tensors:
            groups.setdefault((tensor.device, tensor.dtype), []).append(tensor)
        self._pairs = [(group, [torch.empty_like(tensor) for tensor in group]) for group in groups.values()]

    @torch.no_grad()
    def save(self) -> None:
        """Take the copies."""
        for tensors, copies in self._pairs:
            torch._foreach_copy_(copies, tensors)

    @torch.no_grad()
    def restore(self) -> None:
        """Put them back."""
        for tensors, copies in self._pairs:
            torch._foreach_copy_(tensors, copies)


def fixed(batch: B) -> B:
    """A copy of a dataclass of tensors, into which `fill` writes others."""
    tensors = {one.name: getattr(batch, one.name) for one in fields(batch)}
    return replace(batch, **{name: None if one is None else one.clone() for name, one in tensors.items()})


def fits(batch: object, into: object) -> bool:
    """Whether both have tensors of the same shapes."""
    return _shapes(batch) == _shapes(into)


def fill(into: object, batch: object) -> None:
    """Write the tensors of `batch` into those of `into`."""
    for one in fields(into):  # type: ignore[arg-type]
        tensor = getattr(into, one.name)
        if tensor is not None:
            tensor.copy_(getattr(batch, one.name), non_blocking=True)


def _shapes(batch: Any) -> list[object]:
    tensors = [getattr(batch, one.name) for one in fields(batch)]
    return [None if one is None else (one.shape, one.dtype) for one in tensors]


def recordable(optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    """Let a fused optimizer be recorded: its learning rates become tensors, and its steps are counted there."""
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(float(group["lr"]), device=device)
        if "capturable" in group:
            group["capturable"] = True


@contextmanager
def skipped_where(skip: Tensor, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """The steps of a fused optimizer change nothing where `skip` () is 1, without anyone waiting for it."""
    switches = {"found_inf": skip, "grad_scale": None}  # those that a GradScaler sets
    vars(optimizer).update(switches)
    try:
        yield
    finally:
        for name in switches:
            delattr(optimizer, name)
