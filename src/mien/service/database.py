"""The tables of the service: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import contextlib
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    select,
)
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from mien.errors import MissingPackageError, OptionError, OutputError

UNFINISHED = ("queued", "running")  # states of a job
FINISHED = ("done", "failed", "cancelled")

metadata = MetaData()

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("digest", String(64), nullable=False),  # SHA-256 of the secret, hexadecimal
    Column("created", Float, nullable=False),  # seconds since 1970, as all times here
    Column("revoked", Float),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(16), nullable=False),  # id of the token; "" without tokens
    Column("instance", String(32), nullable=False),  # the service whose folder has the files
    Column("key", String(200)),  # Idempotency-Key of the request that made it
    Column("state", String(16), nullable=False, index=True),
    Column("options", Text, nullable=False),  # JSON
    Column("files", Text, nullable=False),  # JSON: {"name", "file", "error"} each
    Column("bytes", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("done", Integer, nullable=False, default=0),  # images and frames
    Column("total", Integer),
    Column("error", Text),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("ended", Float),
    Column("expires", Float),
    UniqueConstraint("owner", "key"),
    Index("jobs_turns", "instance", "owner", "started"),
)


UNAVAILABLE = (OperationalError, InterfaceError)  # the server is away, or the disk of SQLite is full


def open_database(url: str) -> Engine:
    """An engine whose tables exist; PostgreSQL through psycopg.

    Raises `OptionError` for a URL that is none, `OutputError` without a server.
    """
    url = url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1)
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise MissingPackageError("PostgreSQL", error.name or "psycopg", "postgresql") from error
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise OptionError("the database is no URL that is known; give postgresql://user@host/name") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    try:
        with contextlib.suppress(DBAPIError):  # another service may have made them at the same moment
            metadata.create_all(engine)
        with engine.connect() as connection:
            connection.execute(select(jobs.c.id).limit(1))
    except SQLAlchemyError as error:
        engine.dispose()
        reason = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
        raise OutputError(f"the database cannot be used ({reason}); check its URL and that it runs") from error
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    for line in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {line}")
    cursor.close()
