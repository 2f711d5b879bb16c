"""What an operator can set of the service, with limits for what clients may send."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass, fields
from pathlib import Path

from mien.errors import OptionError

MIB = 2**20
MOST_HOURS = 87_600  # that a result is kept


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """The settings of one service; sizes in MiB, times in seconds unless the name says otherwise."""

    host: str = "127.0.0.1"
    port: int = 8000
    auth: bool = True  # bearer tokens; without them only on loopback
    allowed_hosts: tuple[str, ...] = ()  # names under which it is reached, besides its address and localhost
    data: Path = Path("mien-service")  # folder of jobs and of the default database
    database: str | None = None  # URL for SQLAlchemy; None: SQLite in `data`
    weights: tuple[str, ...] = ("default",)  # what clients may choose from; the first is the default
    detector: str = "yunet-slim"
    allow_urls: bool = False  # whether clients may name an image by its address

    workers: int = 0  # images at a time; 0: one per core
    batch_size: int = 8  # requests whose faces are recognised together
    batch_wait_ms: float = 3.0  # at most, and only while other requests are arriving
    queue: int = 64  # requests that wait for a worker; more are refused with 429
    timeout_s: float = 30.0  # of a request in the queue; of a sender that pauses
    max_mib: float = 32.0  # of one image
    max_megapixels: float = 50.0  # of one image
    max_search_megapixels: float = 16.0  # of an image that is searched tile by tile, which is the costliest work
    max_pending_mib: float = 256.0  # of all images that are being received or wait
    max_connections: int = 1024
    client_share: float = 0.5  # of queue, memory and unfinished jobs: what one token may take of each at most

    job_files: int = 1000  # of one job
    job_mib: float = 2048.0  # uploads of one job
    jobs_mib: float = 20480.0  # uploads of all unfinished jobs
    jobs: int = 100  # unfinished ones
    job_attempts: int = 8  # of a job that ends the process each time before it gets further
    keep_hours: float = 24.0  # until a job expires, counted from its end

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int | float) or isinstance(value, bool):
                continue
            if field.name in ("workers", "queue", "batch_wait_ms", "port"):
                if not 0 <= value < math.inf:
                    raise OptionError(f"{field.name} is {value}; give a number from 0 on")
            elif not 0 < value < math.inf:
                raise OptionError(f"{field.name} is {value}; give a number above 0")
        if self.client_share > 1:
            raise OptionError(f"client_share is {self.client_share:g}; give a share, above 0 and up to 1")
        if self.keep_hours > MOST_HOURS:
            raise OptionError(f"keep_hours is {self.keep_hours:g}; give at most {MOST_HOURS:,}, ten years")
        if not self.weights:
            raise OptionError("weights is empty; name at least one")
        if not self.auth and not is_loopback(self.host):
            raise OptionError(
                f"without tokens the service listens on loopback only, not on {self.host}; "
                "leave --no-auth out, or use --host 127.0.0.1"
            )

    def share(self, limit: float, *, least: float) -> float:
        """What one client may take of something, `least` in any case; all of it where nobody has a token."""
        return max(limit * self.client_share, min(least, limit)) if self.auth else limit

    @property
    def database_url(self) -> str:
        """SQLite in `data` where none is named."""
        return self.database or f"sqlite:///{self.database_file.absolute()}"

    @property
    def database_file(self) -> Path:
        """Of SQLite."""
        return self.data / "service.sqlite"


def is_loopback(host: str) -> bool:
    """Whether an address or name to listen on is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
