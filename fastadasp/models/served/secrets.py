"""Keys and passwords that were put where a name or an address belongs: refused without being repeated."""

import re
from urllib.parse import urlsplit


def problem(setting: str, value: str) -> str | None:
    """What is wrong with `model.base_url` or `model.api_key_env`; None for any other setting, or where nothing is."""
    return {"model.base_url": _of_address, "model.api_key_env": _of_variable}.get(setting, lambda _: None)(value)


def _of_address(value: str) -> str | None:
    try:
        url = urlsplit(value)
        host, has_secret = url.hostname, "@" in url.netloc or bool(url.query)
        _ = url.port
    except ValueError as error:
        return f"model.base_url is no address ({error}); it looks like http://localhost:8000/v1"
    if has_secret:
        return (
            "model.base_url must hold no password and no query (what was given is not shown): settings are written "
            "into results. Put the key into an environment variable and name that by model.api_key_env"
        )
    if url.scheme not in ("http", "https") or not host:
        return f"model.base_url={value} is no address of a server; it looks like http://localhost:8000/v1"
    return None


def _of_variable(value: str) -> str | None:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        return None
    return (
        "model.api_key_env must be the name of an environment variable, of letters, digits and underscores, such as "
        "OPENAI_API_KEY. What was given is not shown, since it may be the key itself; if it was, take it out of the "
        "shell's history"
    )
