"""Settings as the environment gives them: read, checked, and refused with one sentence."""

import os
from pathlib import Path
from urllib.parse import quote, urlsplit

import environs

OURS = ("KB_", "EMBEDDING_", "RERANKER_")
"""A variable that starts so and is not in KNOWN is a mistake in its name: it is refused, not ignored."""

KNOWN = {
    "KB_ADMIN_PASSWORD",
    "KB_ADMIN_TOKEN",
    "KB_ADMIN_USER",
    "KB_DATA_DIR",
    "KB_DISK_RESERVE_MB",
    "KB_INDEX_MEMORY_MB",
    "KB_INDEX_WORKERS",
    "KB_LEASE_SECONDS",
    "KB_QUERY_CACHE_SECONDS",
    "KB_READ_WORKERS",
    "KB_SEARCH_LOG_DAYS",
    "KB_SEARCH_LOG_TEXT",
    "KB_UPLOAD_LIMIT_MB",
    "EMBEDDING_API_KEY",
    "EMBEDDING_COMPILE",
    "EMBEDDING_DIMENSIONS",
    "EMBEDDING_DTYPE",
    "EMBEDDING_MAX_TOKENS",
    "EMBEDDING_MODEL",
    "EMBEDDING_PASSAGE_PROMPT",
    "EMBEDDING_QUERY_PROMPT",
    "EMBEDDING_TOKENIZER",
    "EMBEDDING_URL",
    "RERANKER_API_KEY",
    "RERANKER_CANDIDATES",
    "RERANKER_MODEL",
    "RERANKER_TIMEOUT_MS",
    "RERANKER_URL",
}


class BadSetting(SystemExit):
    """A setting is missing or makes no sense: the process ends with the sentence and exit status 1."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"Concordance cannot start: {sentence}")


def refuse_unknown_names() -> None:
    """Raises BadSetting for a variable that looks like ours and is none."""
    unknown = sorted(name for name in os.environ if name.startswith(OURS) and name not in KNOWN)
    if unknown:
        raise BadSetting(f"{unknown[0]} is not a setting (see docs/settings.md).")


def load_running(data_dir: Path) -> None:
    """Fills what the environment lacks from the file in which a running `up` says where its servers are."""
    written = data_dir / "run" / "environment"
    if not written.is_file():
        return
    for line in written.read_text("utf-8").splitlines():
        name, _, value = line.partition("=")
        os.environ.setdefault(name, value)


def integer(env: environs.Env, name: str, default: int, *, least: int, most: int) -> int:
    """The whole number in variable `name`, between `least` and `most`."""
    raw = env.str(name, "") or str(default)
    if not raw.isascii() or not raw.isdigit() or not least <= int(raw) <= most:
        raise BadSetting(f"{name} is {raw!r}; it must be a whole number from {least} to {most}.")
    return int(raw)


def boolean(env: environs.Env, name: str, *, default: bool) -> bool:
    """The truth value in variable `name`: true, false, 1, 0, yes, no, on, off."""
    try:
        return env.bool(name, default)
    except environs.EnvError as error:
        raise BadSetting(f"{name} must be true or false.") from error


def embeddings_url(env: environs.Env) -> str:
    """The base address of a server of embeddings, as OpenAI's clients take it; empty where none is set."""
    url = _url(env, "EMBEDDING", example="http://gpu.example:8000/v1")
    return url if not url or urlsplit(url).path else f"{url}/v1"


def reranker_url(env: environs.Env) -> str:
    """The address of a server of reranking in front of `/rerank`; empty where none is set."""
    return _url(env, "RERANKER", example="http://gpu.example:8001").removesuffix("/rerank")


def key_of(env: environs.Env, whose: str, url: str) -> str:
    """The key for the server at that address. It is never repeated."""
    key = env.str(f"{whose}_API_KEY", "")
    if key and not url:
        raise BadSetting(f"{whose}_API_KEY is set, and {whose}_URL is not.")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise BadSetting(f"{whose}_API_KEY has characters that no key has.")
    return key


def _url(env: environs.Env, whose: str, *, example: str) -> str:
    url = env.str(f"{whose}_URL", "").rstrip("/")
    if not url:
        return ""
    if "@" in url:
        raise BadSetting(f"{whose}_URL must not hold a name or a password: a key belongs in {whose}_API_KEY.")
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or parts.query or parts.fragment:
        raise BadSetting(f"{whose}_URL is {url!r}; it must be an address such as {example}.")
    return url


def prompt(env: environs.Env, name: str, url: str) -> str | None:
    """What the model on that server wants in front of a text: `\\n` is a line break, `none` is nothing. None where it
    is not set."""
    given = env.str(name, "")
    if given and not url:
        raise BadSetting(f"{name} is for a model on a server: EMBEDDING_URL is not set.")
    if "\n" in given:
        raise BadSetting(f"{name} must be one line: write a line break as \\n.")
    return "" if given == "none" else given.replace("\\n", "\n") or None


def broker_url(redis_url: str) -> str:
    """The address as kombu writes it: a Unix socket is `unix://` to redis-py and `redis+socket://` to kombu."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    password = f":{quote(parts.password, safe='')}@" if parts.password else ""
    query = f"?{parts.query.replace('db=', 'virtual_host=')}" if parts.query else ""
    return f"redis+socket://{password}{parts.path}{query}"
