# One image for all roles. Node runs the TypeScript as it is (type stripping), so there is no build step. The image is
# the source and the production dependencies. The command `start`, which fetches nats-server and mongod, is left out
# (.dockerignore).
#
#   docker build --tag posthorn .
#   docker run --rm posthorn --help
#
# A release passes the base by its digest (.github/workflows/image.yaml): a tag alone may become another image.
ARG NODE_IMAGE=docker.io/library/node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Without install scripts: the only one brings Node itself, which the base has.
RUN --mount=type=cache,target=/root/.npm \
    npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
    && rm -rf node_modules/node node_modules/.bin

FROM ${NODE_IMAGE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Posthorn" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
# The defaults are loopback: in a container both ports must be reachable from outside. For the number of threads see
# src/app/run/role-process.ts.
ENV NODE_ENV=production \
    UV_THREADPOOL_SIZE=32 \
    POSTHORN_REVISION="${REVISION}" \
    POSTHORN_HTTP_HOST=0.0.0.0 \
    POSTHORN_OPS_HOST=0.0.0.0
# The only writable folder, if a volume is mounted on it: compose.yaml keeps the keys there.
RUN install -d -o 1000 -g 1000 /var/lib/posthorn
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
# The texts of the pages of error codes.
COPY docs/errors.md ./docs/
# By number, so that Kubernetes can verify that the user is not root.
USER 1000:1000
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["node", "-e", "require(process.env.POSTHORN_HTTP_CERTIFICATE_PATH?'node:https':'node:http').get({rejectUnauthorized:false,port:process.env.POSTHORN_OPS_PORT||9090,host:'127.0.0.1',path:'/readyz',agent:false},r=>process.exit(r.statusCode===200?0:1)).on('error',()=>process.exit(1))"]
ENTRYPOINT ["node", "--max-semi-space-size=8", "--heap-growing-percent=120", "src/main.ts"]
CMD ["run"]
