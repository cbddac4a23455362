# The gateway, and its worker, in one image: docs/operations.md#in-a-container says how to build and to run it.

# Debian with Node 24 and npm.
ARG BASE=node:24-trixie-slim

# The package as npm would publish it, without the parts of it that a container does not run.
FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm --mount=type=secret,id=npmrc,target=/root/.npmrc \
  npm ci --ignore-scripts --no-audit --no-fund
COPY . .
# The link makes the DATA_DIR of .env.example the volume, too.
RUN npm run build \
  && npm pack --ignore-scripts --pack-destination /tmp \
  && mkdir /package \
  && tar --extract --gzip --file /tmp/cloudwatch-postman-*.tgz --directory /package --strip-components 1 \
  && cd /package \
  && rm -rf dist/types docs infra CHANGELOG.md README.md \
  && chmod +x dist/tools/cli/main.js \
  && ln -s /data data

# What the package needs at run time.
FROM ${BASE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm --mount=type=secret,id=npmrc,target=/root/.npmrc \
  npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY --from=build /build/dist/tools/build/prune-modules.js ./
RUN node prune-modules.js node_modules

# An init, which passes signals on and ends the processes that their parents have left; and the folder of the volume.
FROM ${BASE} AS init
RUN command -v tini \
  || (apt-get update && apt-get install --yes --no-install-recommends tini)
RUN mkdir --mode 700 /data && chown 1000:1000 /data

FROM ${BASE}
ARG BASE
# That of package.json; a test holds the two against each other.
ARG VERSION=5.0.0
ARG REVISION=
LABEL org.opencontainers.image.title="cloudwatch-postman" \
  org.opencontainers.image.description="Telemetry gateway between browsers and Amazon CloudWatch" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.base.name="${BASE}"
COPY --from=init /usr/bin/tini /usr/bin/tini
COPY --from=init --chown=1000:1000 /data /data
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /package ./
RUN ln -s /app/dist/tools/cli/main.js /usr/local/bin/cloudwatch-postman
ENV NODE_ENV=production \
  DATA_DIR=/data
# The user "node" of Node's images, as a number: Kubernetes tells by it that it is not root.
USER 1000:1000
VOLUME /data
# Of the gateway, and of a worker's health checks.
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "dist/tools/cli/health-check.js"]
# With -s it may be the child of another init, such as that of docker run --init.
ENTRYPOINT ["/usr/bin/tini", "-s", "--"]
CMD ["node", "dist/start.js"]
