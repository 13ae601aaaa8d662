# One image for every process of Touchline's; which one it is, is the command. So there is no
# HEALTHCHECK here: each command has a port of its own, and the Compose file asks it.
FROM python:3.11.15-slim-trixie AS build
WORKDIR /build
RUN python -m venv --without-pip /opt/touchline
# Wheels only: nothing is compiled. What builds Touchline's own wheel stays in this stage.
COPY requirements.lock requirements-build.lock ./
RUN pip --python /opt/touchline/bin/python install --no-cache-dir --only-binary :all: \
    --no-deps --require-hashes -r requirements.lock \
    && pip install --no-cache-dir --only-binary :all: \
    --no-deps --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --no-index --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/touchline/bin/python install --no-cache-dir --no-deps --no-index \
    /wheels/*.whl

FROM python:3.11.15-slim-trixie
LABEL org.opencontainers.image.title="Touchline" \
      org.opencontainers.image.description="Scores bets on live sporting events, right whatever crashes." \
      org.opencontainers.image.version="0.1.0"
# What can install or build is not needed to run.
RUN pip uninstall --yes --root-user-action=ignore pip setuptools wheel \
    && useradd --uid 10001 --create-home touchline
COPY --from=build /opt/touchline /opt/touchline
# Modules were compiled when they were installed, and the file system may be read-only.
ENV PATH=/opt/touchline/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /home/touchline
STOPSIGNAL SIGTERM
ENTRYPOINT ["touchline"]
