# One image for every process of ours: the authority, the systems of record, each agent's worker.
# Which one it is, the command says. It needs no write access to its root file system.
FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /opt/placet
COPY deploy/requirements.lock ./
RUN /opt/placet/bin/python -m pip install --no-cache-dir --no-compile --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY placet placet
COPY workflows workflows
COPY activities activities
COPY worker worker
COPY lender lender
COPY policies policies
COPY tui tui
RUN /opt/placet/bin/python -m pip install --no-cache-dir --no-compile --no-deps --no-build-isolation . \
    && /opt/placet/bin/python -m pip uninstall -q -y editables hatchling trove-classifiers \
    && /opt/placet/bin/python -m pip uninstall -q -y pip \
    && /opt/placet/bin/python -m compileall -q /opt/placet/lib

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --no-create-home placet
COPY --from=build /opt/placet /opt/placet
ENV PATH=/opt/placet/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT []
CMD ["placet", "--help"]
