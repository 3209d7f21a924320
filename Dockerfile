# Image of the gateway and the mock services; docker-compose.yml chooses the program of each container.
# "docker build --target load" builds the image of locust instead.
FROM python:3.13-slim AS build
WORKDIR /build
# The folder of the journal; a named volume takes over its owner and its mode.
RUN mkdir -p -m 0700 /volumes/data
RUN python3 -m venv /opt/gateway
# Install the packages first, because they change less often than the code.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN mkdir gateway mock_services \
    && touch gateway/__init__.py mock_services/__init__.py \
    && /opt/gateway/bin/pip install --no-cache-dir --constraint constraints.txt '.[postgres]'
COPY gateway gateway
COPY mock_services mock_services
RUN /opt/gateway/bin/pip install --no-cache-dir --no-deps --force-reinstall . \
    && /opt/gateway/bin/pip uninstall --yes --quiet pip

FROM python:3.13-slim AS build-load
WORKDIR /build
RUN python3 -m venv /opt/locust
COPY pyproject.toml constraints.txt ./
RUN /opt/locust/bin/pip install --no-cache-dir --constraint constraints.txt locust \
    && /opt/locust/bin/pip uninstall --yes --quiet pip

# Remove pip and ensurepip: nothing is installed at run time.
FROM python:3.13-slim AS runtime
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.13/site-packages/pip* /usr/local/lib/python3.13/ensurepip

FROM runtime AS load
COPY --from=build-load /opt/locust /opt/locust
COPY locustfile.py /load/locustfile.py
COPY load /load/load
WORKDIR /load
USER 65532:65532
EXPOSE 8089
ENTRYPOINT ["/opt/locust/bin/locust"]

FROM runtime
LABEL org.opencontainers.image.title="fanout-gateway" org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/gateway /opt/gateway
COPY --from=build --chown=65532:65532 /volumes /
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_JOURNAL_URL=sqlite:////data/gateway-journal.sqlite
USER 65532:65532
EXPOSE 8000
# Health check of the gateway; docker-compose.yml replaces it for the mock services.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
CMD ["gateway", "serve"]
