# Sallyport as an image: Node, the bundle that is run, and what it was made of: production
# dependencies with their licences, and sources.
#   docker build -t sallyport .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --stop-timeout 40 -p 8443:8443 \
#     -v "$PWD/sallyport:/etc/sallyport:ro" -v sallyport-data:/var/lib/sallyport sallyport
# The folder sallyport/ holds sallyport.yaml and what that names, readable by the user 10001; in it
# are `instance: { dataDir: /var/lib/sallyport }`, `proxy: { address: "0.0.0.0:8443", … }` and
# `ops: { address: "127.0.0.1:9464" }`. Docker's own patience of 10 s is shorter than
# instance.drainMs.

FROM node:26-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The optional packages bring a Node for machines that have none; the image has its own.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force

# The bundle starts in a third of the processor time that the sources take. What makes it stays
# behind.
FROM node:26-bookworm-slim AS bundle
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts && npm cache clean --force
COPY bin ./bin
COPY src ./src
RUN node bin/bundle.ts

FROM node:26-bookworm-slim
ENV NODE_ENV=production UV_THREADPOOL_SIZE=8
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY bin ./bin
COPY config ./config
COPY src ./src
COPY --from=bundle /app/dist ./dist
# All of it belongs to root and is only read. What an instance keeps, and what config/docker makes,
# has folders of its own: a named volume that is mounted there takes over their owner and mode. The
# owner is a number, so that orchestrators can see that it is not root.
RUN ln -s /app/bin/sallyport /usr/local/bin/sallyport \
  && mkdir -p /etc/sallyport /var/lib/sallyport /run/sallyport/gate /run/sallyport/manage /run/sallyport/redis \
  && chown 10001:10001 /var/lib/sallyport /run/sallyport/gate /run/sallyport/manage /run/sallyport/redis \
  && chmod 0700 /var/lib/sallyport /run/sallyport/gate /run/sallyport/manage
USER 10001:10001
WORKDIR /var/lib/sallyport
EXPOSE 8443

# Alive, not ready: a gate that waits for its Redis must not be restarted for it. For another
# address or for readiness, set the variable.
ENV SALLYPORT_HEALTH_URL=http://127.0.0.1:9464/livez
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.SALLYPORT_HEALTH_URL).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# SIGTERM drains: not ready first, then requests in flight finish. Node is process 1 and gets it
# itself.
STOPSIGNAL SIGTERM
# The sizes (MiB) of the young heap are those of bin/sallyport, which says why.
ENTRYPOINT ["node", "--min-semi-space-size=16", "--max-semi-space-size=16", "--heap-growing-percent=200", "/app/dist/app/main.js"]
CMD ["serve", "--config", "/etc/sallyport/sallyport.yaml"]
