"""Every setting of Concordance. All that differs between machines comes from the environment (docs/settings.md)."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
import django_stubs_ext
import environs
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from embeddings import devices
from kb.config import environment

# Django's classes take type arguments in annotations (ModelForm[Collection]) only after this.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parents[2]

env = environs.Env()
environment.refuse_unknown_names()
DATA_DIR = Path(env.str("KB_DATA_DIR", "") or BASE_DIR / "data").resolve()
environment.load_running(DATA_DIR)

# --- What this machine is ---

DEBUG = environment.boolean(env, "DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", "")
if len(SECRET_KEY) < 32 and not DEBUG:
    raise environment.BadSetting(
        "SECRET_KEY must be set to at least 32 random characters (`manage.py up` makes one by itself)."
    )
PUBLIC_URL = env.str("PUBLIC_URL", "")
SECURE = PUBLIC_URL.startswith("https://")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
if PUBLIC_URL:
    ALLOWED_HOSTS.append(urlsplit(PUBLIC_URL).hostname or "")
    CSRF_TRUSTED_ORIGINS = [PUBLIC_URL.rstrip("/")]

# --- Data ---

DATABASE_URL = env.str("DATABASE_URL", "")
REDIS_URL = env.str("REDIS_URL", "")
if not DATABASE_URL:
    raise environment.BadSetting(f"DATABASE_URL is not set, and no `manage.py up` is running on {DATA_DIR}.")
if not REDIS_URL:
    raise environment.BadSetting(f"REDIS_URL is not set, and no `manage.py up` is running on {DATA_DIR}.")
try:
    DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True)}
except (dj_database_url.ParseError, dj_database_url.UnknownSchemeError, ValueError) as error:
    raise environment.BadSetting(f"DATABASE_URL is not an address of a database: {error}.") from error
if DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
    raise environment.BadSetting("DATABASE_URL must begin with postgresql://: nothing but Postgres has pgvector.")
DATABASES["default"].setdefault("OPTIONS", {})["connect_timeout"] = 5

AUTH_USER_MODEL = "kb.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MEDIA_ROOT = DATA_DIR / "files"
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "incoming"
FILE_UPLOAD_HANDLERS = ["kb.uploads.LimitedFileUploadHandler"]
UPLOAD_LIMIT = environment.integer(env, "KB_UPLOAD_LIMIT_MB", 200, least=1, most=4096) * 1024 * 1024
DISK_RESERVE = environment.integer(env, "KB_DISK_RESERVE_MB", 2048, least=0, most=1_000_000) * 1024 * 1024
LEASE_SECONDS = environment.integer(env, "KB_LEASE_SECONDS", 60, least=2, most=600)
# What one build of an index may use: 0 leaves the memory to the server's own setting, which also bounds the workers.
INDEX_MEMORY_MB = environment.integer(env, "KB_INDEX_MEMORY_MB", 0, least=0, most=1_000_000)
INDEX_WORKERS = environment.integer(env, "KB_INDEX_WORKERS", 8, least=0, most=64)
SEARCH_LOG_DAYS = environment.integer(env, "KB_SEARCH_LOG_DAYS", 90, least=1, most=3650)
SEARCH_LOG_TEXT = environment.boolean(env, "KB_SEARCH_LOG_TEXT", default=False)
STORAGES = {
    "default": {"BACKEND": "kb.uploads.DurableStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "cache"}
}

# --- Encoder ---

EMBEDDING_URL = environment.embeddings_url(env)
EMBEDDING_API_KEY = environment.key_of(env, "EMBEDDING", EMBEDDING_URL)
# Empty with EMBEDDING_URL: the one model that the server has.
EMBEDDING_MODEL = env.str("EMBEDDING_MODEL", "") or ("" if EMBEDDING_URL else devices.default_model())
# Part of the space, so every process must say the same, also those that run where there is no GPU.
EMBEDDING_DTYPE = env.str("EMBEDDING_DTYPE", "") or devices.dtype_on(devices.default_device())
if EMBEDDING_DTYPE not in devices.DTYPES:
    raise environment.BadSetting(
        f"EMBEDDING_DTYPE is {EMBEDDING_DTYPE!r}; it must be bfloat16 or float32 (in float16 some texts become NaN)."
    )
EMBEDDING_COMPILE = environment.boolean(env, "EMBEDDING_COMPILE", default=False)
EMBEDDING_DIMENSIONS = environment.integer(env, "EMBEDDING_DIMENSIONS", 0, least=0, most=4000) or None
EMBEDDING_TOKENIZER = env.str("EMBEDDING_TOKENIZER", "")
EMBEDDING_MAX_TOKENS = environment.integer(env, "EMBEDDING_MAX_TOKENS", 512, least=64, most=1_000_000)
EMBEDDING_QUERY_PROMPT = environment.prompt(env, "EMBEDDING_QUERY_PROMPT", EMBEDDING_URL)
EMBEDDING_PASSAGE_PROMPT = environment.prompt(env, "EMBEDDING_PASSAGE_PROMPT", EMBEDDING_URL)
QUERY_CACHE_SECONDS = environment.integer(env, "KB_QUERY_CACHE_SECONDS", 3600, least=0, most=2_592_000)
CACHE_URL = env.str("CACHE_URL", "")

# --- Reranker: none unless a model or a server is named ---

RERANKER_URL = environment.reranker_url(env)
RERANKER_API_KEY = environment.key_of(env, "RERANKER", RERANKER_URL)
RERANKER_MODEL = env.str("RERANKER_MODEL", "")
RERANKER_TIMEOUT_MS = environment.integer(env, "RERANKER_TIMEOUT_MS", 2000, least=50, most=60_000)
RERANKER_CANDIDATES = environment.integer(env, "RERANKER_CANDIDATES", 30, least=2, most=200)

# --- Django ---

INSTALLED_APPS = [
    "kb.apps.KbConfig",
    "embeddings.apps.EmbeddingsConfig",
    "search.apps.SearchConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
MIDDLEWARE = [
    "kb.config.middleware.database_refusals",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "kb.config.middleware.WholeAddress",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "kb.config.urls"
WSGI_APPLICATION = "kb.config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "search"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "kb" / "locale"]
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", "UTC")

# --- Security (HARDENING: strict CSP; __Host- cookies and HSTS where the public address is https) ---

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "csrf"
CSRF_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
if SECURE:
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- API ---

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "kb.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["kb.authentication.ScopedAccess"],
    "DEFAULT_PARSER_CLASSES": [
        "kb.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_PAGINATION_CLASS": "kb.pagination.StablePagination",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_RATES": {"search": "600/min", "upload": "3000/min", "preview": "20/min", "embeddings": "600/min"},
    "EXCEPTION_HANDLER": "kb.problems.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Concordance",
    "DESCRIPTION": "Upload documents, search them across languages, read cited passages.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
}

# --- Celery: it rings and supervises; what is due stands in Postgres (HARDENING section 1 gives the reasons) ---

CELERY_BROKER_URL = environment.broker_url(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "unacked_restore_throttle": 1,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": not REDIS_URL.startswith("unix:"),
    "health_check_interval": 25,
    "max_retries": 1,
    "interval_start": 0,
    "interval_max": 0.2,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_ACKS_ON_FAILURE_OR_TIMEOUT = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 50
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"
CELERY_TASK_DEFAULT_QUEUE = "read"
CELERY_TASK_ROUTES = {
    "kb.tasks.read": {"queue": "read"},
    "kb.tasks.embed": {"queue": "embed"},
    "kb.tasks.sweep": {"queue": "sweep"},
    "search.tasks.evaluate": {"queue": "read"},
    "search.tasks.sweep": {"queue": "sweep"},
}
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "kb.tasks.sweep", "schedule": 15, "options": {"expires": 15}},
    "sweep of searches": {"task": "search.tasks.sweep", "schedule": 60, "options": {"expires": 60}},
}

# --- Log ---

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"one line": {"()": "kb.config.logs.OneLine"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL", "INFO").upper()},
    # A line for each request to a server of embeddings would bury all others.
    "loggers": {"django.request": {"filters": ["one line"]}, "httpx2": {"level": "WARNING"}},
}
