"""What a command needs that speaks to an API as a worker."""

from unitask.settings import Settings, WrongSetting


def api_and_token(settings: Settings) -> tuple[str, str]:
    """Tell where the API is and how a worker shows itself there.

    Raises:
        WrongSetting: one of them is not set.

    """
    if not settings.api_url:
        raise WrongSetting("UNITASK_API_URL is not set: where is the API? For example http://127.0.0.1:8000")
    if settings.worker_token is None:
        raise WrongSetting("UNITASK_WORKER_TOKEN is not set: it must be the one that the API has")
    return settings.api_url, settings.worker_token.get_secret_value()
