# Also builds without BuildKit: no cache or secret mounts, no heredocs.
ARG NODE_VERSION=26
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

FROM node:${NODE_VERSION}-bookworm-slim
LABEL org.opencontainers.image.title="pullsync" \
      org.opencontainers.image.description="Webhook-driven replication worker for container registries: same image names, filled on demand" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
    PULLSYNC_CONFIG=/etc/pullsync/pullsync.yaml
WORKDIR /app
RUN ln -s /app/dist/pullsync.js /usr/local/bin/pullsync
COPY package.json LICENSE ./
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist/pullsync.js ./dist/pullsync.js
COPY --from=build /app/dist/src ./dist/src
COPY --from=build /app/dist/workers ./dist/workers
# Where workers keep what clients follow while it is copied: layers, so on a disk, not in memory.
RUN install -d -o 1000 -g 1000 -m 700 /spool
ENV TMPDIR=/spool
VOLUME /spool
# The node user; by number, because Kubernetes' runAsNonRoot cannot judge a name.
USER 1000:1000
EXPOSE 8080 9090
# Exec form: signals reach node itself.
ENTRYPOINT ["node", "dist/pullsync.js"]
CMD ["serve"]
