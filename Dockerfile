# Also builds without BuildKit: no cache or secret mounts, no heredocs. Nothing runs in the last stage, so that
# RUNTIME may be any image with node in its PATH, also one without a shell.
ARG NODE_VERSION=26
ARG RUNTIME=node:${NODE_VERSION}-bookworm-slim
FROM node:${NODE_VERSION}-bookworm-slim AS base
WORKDIR /app
COPY package.json package-lock.json .npmrc ./

FROM base AS build
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json pullsync.ts ./
COPY src ./src
COPY workers ./workers
RUN npm run build && chmod 755 dist/pullsync.js

FROM base AS dependencies
# The libraries of clouds that `auth` needs: --build-arg CLOUD_LIBRARIES="@aws-sdk/client-ecr", of package-lock.json's versions.
ARG CLOUD_LIBRARIES=
# npm keeps the compiler as some library's optional peer; nothing loads it.
RUN npm ci --omit=dev --ignore-scripts && \
    if [ -n "$CLOUD_LIBRARIES" ]; then npm install --no-save --save-prod --omit=dev --ignore-scripts $CLOUD_LIBRARIES; fi && \
    rm -rf node_modules/typescript

# What the image has beside node: pullsync is root's, the spool is its own user's.
FROM base AS tree
COPY package.json LICENSE /root-owned/app/
COPY --from=dependencies /app/node_modules /root-owned/app/node_modules
COPY --from=build /app/dist/pullsync.js /root-owned/app/dist/pullsync.js
COPY --from=build /app/dist/src /root-owned/app/dist/src
COPY --from=build /app/dist/workers /root-owned/app/dist/workers
RUN mkdir -p /root-owned/usr/local/bin /own/spool && chmod 700 /own/spool && \
    ln -s /app/dist/pullsync.js /root-owned/usr/local/bin/pullsync

FROM ${RUNTIME}
LABEL org.opencontainers.image.title="pullsync" \
      org.opencontainers.image.description="Webhook-driven replication worker for container registries: same image names, filled on demand" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
    PULLSYNC_CONFIG=/etc/pullsync/pullsync.yaml
WORKDIR /app
COPY --from=tree /root-owned/ /
# Where workers keep what clients follow while it is copied: layers, so on a disk, not in memory.
COPY --from=tree --chown=1000:1000 /own/ /
# Compiled JavaScript, too: a command then takes a fifth less. Nobody else may write there, for what lies there is run.
ENV TMPDIR=/spool \
    NODE_COMPILE_CACHE=/spool/compile-cache
VOLUME /spool
# The node user; by number, because Kubernetes' runAsNonRoot cannot judge a name.
USER 1000:1000
EXPOSE 8080 9090
# Exec form: signals reach node itself.
ENTRYPOINT ["node", "dist/pullsync.js"]
CMD ["serve"]
