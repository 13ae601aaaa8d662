FROM python:3.11.15-slim-trixie AS wheel
WORKDIR /build
COPY pyproject.toml README.md ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11.15-slim-trixie
RUN useradd --uid 10001 --create-home touchline
COPY requirements.lock /
# Wheels only: nothing is compiled here, so nothing that compiles need be here.
RUN pip install --no-cache-dir --only-binary :all: --no-deps --require-hashes -r /requirements.lock
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-deps --no-index /wheels/*.whl
ENV PYTHONUNBUFFERED=1
USER 10001
WORKDIR /home/touchline
ENTRYPOINT ["touchline"]
