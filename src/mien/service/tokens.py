"""Bearer tokens: shown once, kept as a hash, compared in constant time, revocable while the service runs."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass

from sqlalchemy import Engine, insert, select, update

from mien.errors import OptionError, ServiceError, UnknownNameError
from mien.service.database import FINISHED, UNFINISHED, jobs, tokens

REFRESH_S = 1.0  # after which a revoked token is refused
_PREFIX = "mien"
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()


@dataclass(frozen=True)
class Token:
    """A token as `mien serve token list` shows it; times in seconds since 1970."""

    id: str
    name: str
    created: float
    revoked: float | None


def add_token(engine: Engine, name: str) -> str:
    """A new token, which nothing shows again: mien_ID_SECRET."""
    name = " ".join(name.split())
    if not 0 < len(name) <= 200:
        raise OptionError("a token needs a name, up to 200 characters, by which you know its user again")
    number, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    values = {"id": number, "name": name, "digest": _digest(secret), "created": time.time()}
    with engine.begin() as connection:
        connection.execute(insert(tokens).values(values))
    return f"{_PREFIX}_{number}_{secret}"


def list_tokens(engine: Engine) -> list[Token]:
    """All tokens, the oldest first."""
    columns = (tokens.c.id, tokens.c.name, tokens.c.created, tokens.c.revoked)
    with engine.connect() as connection:
        return [Token(*row) for row in connection.execute(select(*columns).order_by(tokens.c.created))]


def revoke_token(engine: Engine, number: str) -> Token:
    """Revoke a token by its id; a running service refuses it from `REFRESH_S` on. Raises `UnknownNameError`.

    Its jobs are cancelled and their results expire now: nobody can ask for them any more.
    """
    known = {token.id: token for token in list_tokens(engine)}
    if number not in known:
        raise UnknownNameError("token", number, known)
    with engine.begin() as connection:
        rows = update(tokens).where(tokens.c.id == number, tokens.c.revoked.is_(None))
        now = time.time()
        connection.execute(rows.values(revoked=now))
        mine = update(jobs).where(jobs.c.owner == number)
        unfinished = mine.where(jobs.c.state.in_(UNFINISHED))
        connection.execute(unfinished.values(state="cancelled", ended=now, expires=now))
        connection.execute(mine.where(jobs.c.state.in_(FINISHED)).values(expires=now))
    return known[number]


class TokenCheck:
    """Checks tokens against the database, which is read at most once in `REFRESH_S`. May be used by threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._digests: dict[str, str] = {}
        self._read_at = float("-inf")
        self._reading = threading.Lock()

    @property
    def is_stale(self) -> bool:
        """Whether `refresh` would read the database."""
        return time.monotonic() - self._read_at > REFRESH_S

    def refresh(self) -> None:
        """Read the valid tokens, unless it was just done."""
        with self._reading:
            if not self.is_stale:
                return
            began = time.monotonic()
            with self._engine.connect() as connection:
                rows = connection.execute(select(tokens.c.id, tokens.c.digest).where(tokens.c.revoked.is_(None)))
                self._digests = {row.id: row.digest for row in rows}
            self._read_at = began

    def owner(self, authorization: str | None) -> str:
        """The id of a valid token in an Authorization header. Raises `ServiceError` 401."""
        scheme, _, credentials = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            raise ServiceError("a token is needed; send Authorization: Bearer TOKEN", status=401)
        prefix, _, rest = credentials.strip().partition("_")
        number, _, secret = rest.partition("_")
        valid = hmac.compare_digest(_digest(secret), self._digests.get(number, _NOBODY))
        if prefix != _PREFIX or not valid:
            raise ServiceError("the token is not valid, or was revoked; ask for another", status=401)
        return number


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
