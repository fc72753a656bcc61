# The broker's server in a small image, run by an unprivileged user.
#
#   docker build -t ci-token-broker .
#   docker run -p 8080:8080 -v ./broker.yaml:/srv/broker/broker.yaml:ro \
#       -v ./policies:/srv/broker/policies:ro -v broker-data:/srv/broker/data ci-token-broker
#
# Outside loopback the configuration must name the public `issuer` and a master key. How to run it:
# docs/guides/run-it.md.
#
# The base is named by a tag, which moves with its security fixes. To build from one image for ever,
# give its digest: --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:…

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

RUN python -m venv /opt/broker
WORKDIR /src

# The locked packages first: this layer changes only with the lock.
COPY requirements/build.txt requirements/image.txt requirements/
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r requirements/build.txt \
    && /opt/broker/bin/pip install --require-hashes -r requirements/image.txt

COPY pyproject.toml README.md LICENSE ./
COPY broker/ broker/
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/broker/bin/pip install --no-deps --no-index --find-links /dist ci-token-broker \
    && /opt/broker/bin/python -m compileall -q /opt/broker/lib \
    && /opt/broker/bin/pip uninstall --yes pip


FROM ${PYTHON_IMAGE}

LABEL org.opencontainers.image.title="ci-token-broker" \
    org.opencontainers.image.description="Exchanges the ID token of a CI job for a short-lived service token, by policy, with an audit trail." \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="Apache-2.0"

# Nothing is installed here later: what could is taken out.
RUN python -m pip uninstall --yes pip setuptools wheel

RUN groupadd --system --gid 10001 broker \
    && useradd --system --uid 10001 --gid broker --home-dir /srv/broker --no-create-home broker \
    && install -d -o root -g broker -m 0755 /srv/broker /srv/broker/policies \
    && install -d -o broker -g broker -m 0700 /srv/broker/data

COPY --from=build /opt/broker /opt/broker

ENV PATH=/opt/broker/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /srv/broker
# By number, so that an orchestrator can tell that it is not root.
USER 10001:10001
VOLUME /srv/broker/data
EXPOSE 8080
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.build_opener(urllib.request.ProxyHandler({})).open('http://127.0.0.1:8080/healthz', timeout=2)"]

ENTRYPOINT ["broker"]
CMD ["serve", "--listen", "0.0.0.0:8080"]
