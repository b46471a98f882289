"""Is it alive, and are the things it needs?"""

import shutil
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from embeddings import queries, spaces
from kb import spaces as kb_spaces


def alive(request: HttpRequest) -> HttpResponse:
    """The web process answers. Touches nothing else, so that an outage elsewhere does not get it restarted."""
    return HttpResponse("ok\n", content_type="text/plain")


def ready(request: HttpRequest) -> JsonResponse:
    """Each dependency by name: `ok`, or a sentence. 503 when search or uploads cannot work at all; without the
    encoder search goes on by words."""
    found = {name: _state_of(check) for name, check in _CHECKS.items()}
    usable = all(found[name] == "ok" for name in ("database", "storage"))
    return JsonResponse({"ready": usable, "dependencies": found}, status=200 if usable else 503)


def _state_of(check: Callable[[], str]) -> str:
    try:
        return check()
    except (Error, redis.RedisError, spaces.NoSpace, OSError) as error:
        return str(error).splitlines()[0][:200] or type(error).__name__


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _redis() -> str:
    redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2).ping()
    return "ok"


def _encoder() -> str:
    """Every space that a collection is searched in or on its way into, and the one for new collections."""
    spaces.current()
    away = [space.name for space in kb_spaces.wanted() if not queries.is_answering(space.pk)]
    return f"No process serves the encoder of {', '.join(away)}." if away else "ok"


def _storage() -> str:
    free = shutil.disk_usage(settings.MEDIA_ROOT).free
    return "ok" if free > settings.DISK_RESERVE else f"Only {free // 2**20} MiB are free."


_CHECKS = {"database": _database, "redis": _redis, "encoder": _encoder, "storage": _storage}
