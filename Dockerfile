# Two stages: the first builds a virtual environment from the hashed lock, the second only runs it.
# A hardened start (the volume holds the database and the clips, everything else may be read-only):
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     --env-file .env --volume dailies:/data dailies:local

FROM python:3.13-slim AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/dailies
ENV PATH=/opt/dailies/bin:$PATH
WORKDIR /src
# The lock first: a change of code does not install the dependencies again.
COPY requirements.lock ./
RUN pip install --require-hashes --no-deps --requirement requirements.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY bot bot
COPY handlers handlers
COPY storage storage
# What only builds does not go on board.
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall --yes setuptools pip

FROM python:3.13-slim
RUN groupadd --gid 10001 dailies \
    && useradd --uid 10001 --gid dailies --no-create-home --home-dir /data --shell /usr/sbin/nologin dailies \
    && install --directory --owner dailies --group dailies --mode 0750 /data
COPY --from=builder /opt/dailies /opt/dailies
# HTTP stays on loopback: Socket Mode needs no port from outside, and the health check runs inside.
ENV PATH=/opt/dailies/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DATABASE_URL=sqlite:////data/dailies.db \
    MEDIA_URL=file:/data/media
USER 10001:10001
WORKDIR /data
VOLUME /data
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; host, port = os.environ.get('HTTP_HOST', '127.0.0.1'), os.environ.get('HTTP_PORT', '3000'); r.build_opener(r.ProxyHandler({})).open(f'http://{host}:{port}/healthz', timeout=4)"]
ENTRYPOINT ["dailies"]
CMD ["run"]
