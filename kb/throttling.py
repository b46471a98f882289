"""How often a caller may do what costs much."""

import logging
from typing import Any

import redis
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

log = logging.getLogger(__name__)


class Throttle(SimpleRateThrottle):
    """At most the rate of its scope in the settings, for each person. Without Redis nobody is held back: search goes on
    by words then, and uploads are kept."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__()

    def get_cache_key(self, request: Request, view: APIView) -> str:
        who = request.user.pk if request.user.is_authenticated else self.get_ident(request)
        return self.cache_format % {"scope": self.scope, "ident": who}

    def allow_request(self, request: Request, view: APIView) -> bool:
        try:
            allowed: Any = super().allow_request(request, view)
        except redis.RedisError as error:
            log.warning("Nobody is throttled: Redis does not answer (%s).", error)
            return True
        return bool(allowed)
