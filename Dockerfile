# One image for every process of a team's server; docker-compose.yml says what each runs.
ARG PYTHON_VERSION=3.12
FROM python:${PYTHON_VERSION}-slim

# PyTorch comes with CUDA from the Python Package Index. For the smaller CPU-only build give the address of PyTorch's
# own index: pip takes the build from there, at the same version.
ARG PIP_EXTRA_INDEX_URL=
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Scans are recognised in the languages whose data are here; others: tesseract-ocr-deu, tesseract-ocr-jpn, ...
ARG OCR_PACKAGES="tesseract-ocr tesseract-ocr-chi-sim"
RUN apt-get update && apt-get install -y --no-install-recommends ${OCR_PACKAGES} && rm -rf /var/lib/apt/lists/*

WORKDIR /app
# Before the code, so that a change of the code does not install everything again.
COPY pyproject.toml constraints.txt README.md ./
RUN pip install --only-binary=:all: -c constraints.txt .
COPY . .
# It reads no data; the settings ask for the addresses all the same.
RUN export SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
        DATABASE_URL=postgresql://build@localhost/build REDIS_URL=redis://localhost/0 EMBEDDING_MODEL=hashing \
    && python manage.py translations compile \
    && python -m compileall -q kb embeddings search

RUN useradd --uid 10001 --create-home concordance && install -d -o concordance /data
USER concordance
ENV KB_DATA_DIR=/data HF_HOME=/data/hub
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-m", "kb.running.health", "127.0.0.1", "8000"]
CMD ["python", "-m", "granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "1", \
     "--blocking-threads", "8", "--workers-kill-timeout", "6", "kb.config.wsgi:application"]
