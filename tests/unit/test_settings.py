import pytest
from pydantic import SecretStr

from unitask.settings import Settings, WrongSetting

LONG = 16


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("PORT", "http", "Input should be a valid integer"),
        ("PORT", "70000", "Input should be less than or equal to 65535"),
        ("PORT", "", "Input should be a valid integer"),
        ("DATABASE_URL", "mysql://localhost/unitask", "must begin with sqlite:/// or postgresql://"),
        ("DATABASE_URL", "postgresql://me:hush-hush/hush@127.0.0.1/unitask", "must be postgresql://user:password@host"),
        ("DATABASE_URL", "postgresql://me:12345/hush@127.0.0.1/unitask", "must be postgresql://user:password@host"),
        ("DATABASE_URL", "postgresql://me:hush-hush#hush@127.0.0.1/unitask", "must be postgresql://user:password@host"),
        ("DATABASE_URL", "postgresql://me:hush-hush?hush@127.0.0.1/unitask", "must be postgresql://user:password@host"),
        ("DATABASE_URL", "postgresql://me:hush[hush@127.0.0.1/unitask", "must be postgresql://user:password@host"),
        ("DATABASE_URL", "postgresql://me:hush@127.0.0.1:port/unitask", "must be postgresql://user:password@host"),
        ("PUBLIC_URL", "unitask.example", "must be an address that begins with http:// or https://"),
        ("PUBLIC_URL", "ftp://unitask.example", "must be an address that begins with http:// or https://"),
        ("API_URL", "https://", "must be an address that begins with http:// or https://"),
        ("SECRET", "short", "Value should have at least 16 items"),
        ("WORKER_TOKEN", "short", "Value should have at least 16 items"),
        ("API_KEY", "short", "Value should have at least 8 items"),
        ("ADMIN_KEY", "0123456789abcdef0123456789abcde", "Value should have at least 32 items"),
        ("ADMIN_KEY", "a" * 64, "must be hard to guess"),
        ("ADMIN_KEY", "012345678" * 4, "must be hard to guess"),
        ("SLOTS", "0", "Input should be greater than or equal to 1"),
        ("LEASE_S", "soon", "Input should be a valid number"),
        ("ALLOW_PRIVATE_NETWORKS", "perhaps", "Input should be a valid boolean"),
        ("LOG_LEVEL", "loud", "Input should be 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_wrong_value_is_a_sentence_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, why: str
) -> None:
    """The operator reads which variable to change; the value, which may be secret, is not repeated."""
    monkeypatch.setenv(f"UNITASK_{setting}", value)
    with pytest.raises(WrongSetting, match=f"^UNITASK_{setting} is wrong: ") as caught:
        Settings.load()
    assert why in str(caught.value)
    assert len(value) < LONG or value not in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql:///unitask",
        "postgresql://postgres:@/unitask?host=/run/postgresql",
        "postgresql://me:hu%2Fsh%40@db.example:5432/unitask?sslmode=require",
        "postgresql://me@[::1]:5432/unitask",
        "postgresql://me:hush@one.example:5432,two.example/unitask?target_session_attrs=any",
    ],
)
def test_an_address_of_a_database_is_left_as_it_is(address: str) -> None:
    """Every form that the driver knows."""
    assert Settings.load(database_url=address).database == address


def test_a_random_admin_key_is_strong_enough() -> None:
    """What the sentence advises is accepted, as is any other long key of chance."""
    for key in ("8f3c1d5e7a90b2c4" * 2, "q7-Zk2_xW9bT4mR8vL1cN6pY3sD5fH0jG"):
        assert Settings.load(admin_key=SecretStr(key)).admin_key == SecretStr(key)


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed counts more than what is set; what is not typed changes nothing."""
    monkeypatch.setenv("UNITASK_PORT", "1234")
    assert Settings.load(port=4321).port == 4321
    assert Settings.load(port=None).port == 1234


def test_engines_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks do not matter."""
    monkeypatch.setenv("UNITASK_ENGINES", "cpu, preview,")
    assert Settings.load().engines == ("cpu", "preview")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
    ],
)
def test_the_address_that_is_printed_can_be_opened(host: str, address: str) -> None:
    """Where it listens on all addresses, a person on this machine can open this one."""
    assert Settings.load(host=host, port=8000).base_url == address


def test_a_public_address_has_no_slash_at_its_end() -> None:
    """Paths are put behind it."""
    assert Settings.load(public_url="https://media.example/").base_url == "https://media.example"
