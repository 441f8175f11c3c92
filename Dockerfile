# Sallyport as an image: Node, the bundle of the sources, the documentation, licences and a bill of
# materials; no sources and no libraries. docs/IMAGE.md says how to build it for two processors, so
# that others can build the same, and how to pin its base.
#   docker build -t sallyport .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --stop-timeout 45 -p 8443:8443 \
#     -v "$PWD/sallyport:/etc/sallyport:ro" -v sallyport-data:/var/lib/sallyport sallyport
# The folder sallyport/ holds sallyport.yaml and what that names, readable by the user 10001; in it
# are `instance: { dataDir: /var/lib/sallyport }`, `proxy: { address: "0.0.0.0:8443", … }` and
# `ops: { address: "127.0.0.1:9464" }`. Docker's own patience of 10 s is shorter than
# instance.drainMs.

# With its digest (NAME@sha256:…) it is the same one at every build.
ARG BASE=node:26-bookworm-slim

# It is the same for every processor, and stays behind.
FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts && npm cache clean --force
COPY . .
ARG SOURCE_DATE_EPOCH=0
RUN node bin/image.ts /image

FROM ${BASE}
# All of it belongs to root and is only read.
COPY --from=build /image/ /
# What an instance keeps, and what config/docker makes, has folders of its own: a named volume that
# is mounted there takes over their owner and mode. The owner is a number, so that orchestrators can
# see that it is not root.
ARG SOURCE_DATE_EPOCH=0
RUN mkdir -p /etc/sallyport /var/lib/sallyport /run/sallyport/gate /run/sallyport/manage /run/sallyport/redis \
  && chown 10001:10001 /var/lib/sallyport /run/sallyport/gate /run/sallyport/manage /run/sallyport/redis \
  && chmod 0700 /var/lib/sallyport /run/sallyport/gate /run/sallyport/manage \
  && touch -d "@${SOURCE_DATE_EPOCH}" /var/lib/sallyport /var/lib /etc/sallyport /etc /run/sallyport/* /run/sallyport /run
ENV NODE_ENV=production UV_THREADPOOL_SIZE=8
USER 10001:10001
WORKDIR /var/lib/sallyport
EXPOSE 8443

ARG BASE
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sallyport" \
  org.opencontainers.image.description="A reverse proxy that lets in the machine accounts it knows, and records every call" \
  org.opencontainers.image.version="0.1.0" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.base.name="${BASE}"

# Alive, not ready: a gate that waits for its Redis must not be restarted for it. For another
# address or for readiness, set the variable.
ENV SALLYPORT_HEALTH_URL=http://127.0.0.1:9464/livez
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "require('http').get(process.env.SALLYPORT_HEALTH_URL, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]

# SIGTERM drains: not ready first, then requests in flight finish. Node is process 1 and gets it
# itself.
STOPSIGNAL SIGTERM
# The sizes (MiB) of the young heap are those of bin/sallyport, which says why.
ENTRYPOINT ["node", "--min-semi-space-size=16", "--max-semi-space-size=16", "--heap-growing-percent=200", "/app/dist/app/main.js"]
CMD ["serve", "--config", "/etc/sallyport/sallyport.yaml"]
