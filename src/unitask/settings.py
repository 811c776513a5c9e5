"""Every setting, from the environment, in one frozen class. A wrong value stops the start with a sentence."""

import os
import re
import secrets
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from unitask.catalogue import Catalogue
from unitask.kit.errors import UnitaskError
from unitask.kit.money import POINTS_PER_USD, points
from unitask.routing import NO_ROUTING, Routing

PROVIDER_KEYS: Final = "UNITASK_KEY_"
"""What the names of variables begin with that hold keys of providers."""

_LEAST_VARIETY: Final = 10
_DEAREST: Final = 10**12
_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^:\[\]]*)(:\d*)?")


def _price(dollars: str) -> int:
    found = points(dollars)
    if found > _DEAREST:
        raise ValueError(f"{dollars!r} is more than {_DEAREST // POINTS_PER_USD} dollars a unit")
    return found


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    hosts = parts.netloc.rpartition("@")[2].split(",")
    return all(_HOST.fullmatch(host) for host in hosts) and "@" not in f"{parts.path}{parts.fragment}"


def key_variable(provider: str) -> str:
    """Name the variable that holds the operator's key for a provider."""
    return PROVIDER_KEYS + provider.upper().replace("-", "_")


def _provider_key(name: str) -> SecretStr | None:
    key = os.environ.get(key_variable(name), "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError(f"{key_variable(name)} holds characters that no key has")
    return SecretStr(key) if key else None


class WrongSetting(UnitaskError):
    """A setting has a value that cannot be used; the sentence names it."""


class Settings(BaseSettings):
    """`UNITASK_DATA` and so on. Times in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="UNITASK_", frozen=True, extra="ignore", validate_default=True)

    data: Path = Field(Path("unitask-data"), description="Folder of the database and the files.")
    database_url: str = Field(
        "",
        description="sqlite:///path or postgresql://user:password@host/name. Default: a file in the data folder.",
    )
    database_direct_url: str = Field(
        "",
        description="Where UNITASK_DATABASE_URL leads to PgBouncer in transaction mode: the same database past it, for "
        "LISTEN, migrations and backups.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 for a free one.")
    public_url: str = Field("", description="Address under which clients reach this server; output URLs begin with it.")
    api_key: SecretStr | None = Field(None, min_length=8, description="Presets the first API key.")
    secret: SecretStr | None = Field(
        None,
        min_length=16,
        description="Keys are stored as a hash under this. Default: made once, in the data folder.",
    )
    worker_token: SecretStr | None = Field(
        None, min_length=16, description="What workers on other machines show the API."
    )
    api_url: str = Field("", description="For `unitask worker`: where the API is.")
    admin_key: SecretStr | None = Field(
        None, min_length=32, description="Opens the admin API as X-API-Key, beside keys with the scope admin."
    )
    prices: Path | None = Field(
        None, description='TOML file of own prices, dollars per unit: "Qubico/flux1-schnell/*" = "0.002".'
    )
    providers: Path | None = Field(
        None,
        description="TOML file of providers and routes, see docs/guide/providers.md. The key of the provider hub is "
        "UNITASK_KEY_HUB.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses of reverse proxies whose X-Forwarded-For counts, separated by commas."
    )
    store: str = Field("", description="Where files lie: s3://bucket/prefix. Default: a folder in the data folder.")
    s3_endpoint: str = Field(
        "", description="Address of an object store other than Amazon's; clients must reach it too."
    )
    s3_region: str = Field("", description="Region of the bucket. Default: AWS_REGION, else us-east-1.")
    s3_access_key_id: str = Field("", description="Access key of the bucket. Default: as AWS_... say.")
    s3_secret_access_key: SecretStr | None = Field(None, description="Its secret. Default: as AWS_... say.")
    marks: bool = Field(
        True,
        description="Whether what is made carries marks that say where it comes from, see docs/guide/provenance.md.",
    )
    mark_certificate: Path | None = Field(
        None,
        description="PEM file of the certificates that sign files, the signer's first. Default: a derived one.",
    )
    mark_key: Path | None = Field(None, description="PEM file of the key of that certificate; both or neither are set.")
    keep_days: Annotated[dict[str, Annotated[int, Field(ge=1, le=36500)]], NoDecode] = Field(
        {},
        description="Days that outputs are kept, by kind or product, as image=3,video=3,audio=3,model=3,"
        "Qubico/hug-video/*=1; these are the defaults.",
    )
    history_months: int = Field(
        0, ge=0, le=1200, description="Months of ended tasks that are kept beside the present one; 0 for all."
    )
    upload_hours: int = Field(24, ge=1, le=24 * 365, description="Hours that uploads and other inputs are kept.")
    upload_limit_bytes: int = Field(
        2 * 2**30, ge=2**20, le=5 * 2**30, description="Largest file that is uploaded by its own address."
    )
    pin_limit_bytes: int = Field(2**30, ge=0, description="Bytes of files that an account may pin; 0 for none.")
    slots: int = Field(1, ge=1, le=256, description="Tasks that one worker runs at the same time.")
    devices: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        None,
        description="Devices in use by engines that keep one, such as cuda:0,cuda:1. Default: all that they find.",
    )
    batch: int = Field(
        1,
        ge=1,
        le=64,
        description="Tasks that one device is given at a time. Above 1 they may round differently in company.",
    )
    models: Path | None = Field(None, description="Folder of the weights of models. Default: in the data folder.")
    engines: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        None, description="Engines in use, separated by commas. Default: all that are installed."
    )
    products: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        None,
        description="Products that a worker takes, separated by commas, as Qubico/flux1-*,*/txt2speech. Default: all.",
    )
    drain_s: float = Field(
        5.0,
        ge=0,
        le=24 * 3600,
        description="How long a worker that is told to end finishes what it has; it gives back the rest.",
    )
    allow_private_networks: bool = Field(
        False,
        description="Let inputs and webhooks reach loopback and private addresses: for development only.",
    )
    body_limit_bytes: int = Field(64 * 2**20, ge=2**20, description="Largest request body.")
    slow_client_s: float = Field(
        20.0,
        ge=1,
        le=600,
        description="How long a client may keep us waiting: for the head of its request, or for the next bytes that it "
        "sends or reads, 500 a second.",
    )
    max_attempts: int = Field(3, ge=1, le=100, description="How often a task is tried before it fails.")
    staged_limit: int = Field(50, ge=0, description="Staged tasks an account may have.")
    lease_s: float = Field(15.0, ge=1, le=3600, description="How long a silent worker keeps its tasks.")
    task_deadline_s: int = Field(24 * 3600, ge=1, description="By when every task has ended.")
    engine_memory_bytes: int = Field(
        8 * 2**30, ge=0, description="Most memory of one engine process; 0 for no limit. Enforced on Linux."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is logged.")
    log_json: bool = Field(False, description="Log one JSON object a line.")
    tracing: bool = Field(
        False,
        description="Send traces over OTLP, as the standard variables say: OTEL_EXPORTER_OTLP_ENDPOINT, "
        "OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and so on.",
    )

    @field_validator("admin_key")
    @classmethod
    def _strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(set(value.get_secret_value())) < _LEAST_VARIETY:
            raise ValueError(
                "must be hard to guess: take 32 characters or more of chance, for example from `openssl rand -hex 32`"
            )
        return value

    @field_validator("devices", "engines", "products", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @field_validator("keep_days", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        return {kind.strip(): days.strip() for kind, _, days in pairs}

    @field_validator("store")
    @classmethod
    def _known_store(cls, value: str) -> str:
        if value and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,62}(/[\w./-]*)?", value):
            raise ValueError("must be s3://bucket or s3://bucket/prefix, or empty for a folder")
        return value

    @field_validator("database_direct_url")
    @classmethod
    def _past_pgbouncer(cls, value: str, others: ValidationInfo) -> str:
        if value and not str(others.data.get("database_url", "")).startswith("postgresql://"):
            raise ValueError("goes with UNITASK_DATABASE_URL, which leads to PgBouncer and begins with postgresql://")
        if value and not value.startswith("postgresql://"):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("database_url", "database_direct_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("must begin with sqlite:/// or postgresql://")
        if value.startswith("postgresql://") and not _is_address(value):
            # A driver would repeat what it cannot read, and that may be a piece of the password.
            raise ValueError(
                "must be postgresql://user:password@host:port/name; a password is written with %2F for /, %23 for #, "
                "%3F for ?, %40 for @ and so on"
            )
        return value

    @field_validator("public_url", "api_url", "s3_endpoint")
    @classmethod
    def _http(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("must be an address that begins with http:// or https://")
        return value.rstrip("/")

    @classmethod
    def load(cls, **changes: Any) -> Self:
        """Read the environment; `changes` that are not None win over it.

        Raises:
            WrongSetting: names the setting and says what is wrong with it.

        """
        try:
            return cls(**{name: value for name, value in changes.items() if value is not None})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = "UNITASK_" + "_".join(str(part) for part in first["loc"]).upper()
            raise WrongSetting(f"{name} is wrong: {first['msg'].removeprefix('Value error, ')}") from None

    def price_list(self) -> dict[str, int]:
        """Read the operator's prices: points per unit by pattern of product keys.

        Raises:
            WrongSetting: the file cannot be read or does not hold prices.

        """
        if self.prices is None:
            return {}
        try:
            listed = tomllib.loads(self.prices.read_text("utf-8"))
            return {pattern: _price(str(price)) for pattern, price in listed.items()}
        except (OSError, ValueError) as error:
            raise WrongSetting(f"UNITASK_PRICES is wrong: {self.prices}: {error}") from None

    def routing(self) -> Routing:
        """Read the operator's providers and routes, with the keys of the providers.

        Raises:
            WrongSetting: the file cannot be read, or something in it is wrong.

        """
        if self.providers is None:
            return NO_ROUTING
        try:
            tables = tomllib.loads(self.providers.read_text("utf-8"))
            return Routing.of(tables, _provider_key, self.providers.parent)
        except (OSError, ValueError) as error:
            raise WrongSetting(f"UNITASK_PROVIDERS is wrong: {self.providers}: {error}") from None

    def products_here(self) -> Catalogue:
        """Load all products, with the recipes and routes of the operator's providers.

        Raises:
            WrongSetting: see `routing`.

        """
        try:
            return self.routing().apply(Catalogue.load())
        except ValueError as error:
            raise WrongSetting(f"UNITASK_PROVIDERS is wrong: {self.providers}: {error}") from None

    @property
    def database(self) -> str:
        """The database in use."""
        return self.database_url or f"sqlite:///{self.data.resolve() / 'unitask.db'}"

    @property
    def database_direct(self) -> str:
        """The database in use, past PgBouncer: for what takes a session or long."""
        return self.database_direct_url or self.database

    @property
    def models_folder(self) -> Path:
        """The folder of the weights."""
        return (self.models or self.data / "models").resolve()

    @property
    def local_url(self) -> str:
        """Where this machine reaches this server."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        """Where clients reach this server."""
        return self.public_url or self.local_url

    def key_secret(self) -> str:
        """Read the installation's secret; it is made at the first start, in a file that only its owner can read."""
        if self.secret is not None:
            return self.secret.get_secret_value()
        path = self.data / "secret"
        if not path.exists():
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(32))
        return path.read_text()
