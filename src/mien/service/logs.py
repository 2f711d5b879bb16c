"""Log lines as JSON on stderr: times, routes, sizes and statuses; no file names, no images, no predictions."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

logger = logging.getLogger("mien.service")


class JsonFormatter(logging.Formatter):
    """One JSON object a line. Of an exception: its class and where it was raised, not its text."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        values: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "values", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            frames = traceback.extract_tb(record.exc_info[2])
            values["exception"] = record.exc_info[0].__name__
            values["raised_at"] = [f"{frame.filename}:{frame.lineno}" for frame in frames[-8:]]
        return json.dumps(values)


def log(event: str, *, level: int = logging.INFO, error: BaseException | None = None, **values: Any) -> None:
    """One line; `values` are numbers, identifiers and words of this package."""
    logger.log(level, event, extra={"values": values}, exc_info=error)


def write_to_stderr(level: str) -> None:
    """Send the lines of the service and of its server to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    for name in ("mien.service", "uvicorn", "uvicorn.error"):
        one = logging.getLogger(name)
        one.handlers, one.propagate = [handler], False
        one.setLevel(level.upper())
    logging.getLogger("uvicorn.error").handlers = []  # its parent has the handler
    logging.getLogger("uvicorn.error").propagate = True
    for name in ("python_multipart", "python_multipart.multipart", "PIL", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # they quote what clients send
