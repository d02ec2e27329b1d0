# Nothing is built: Node 24 runs the sources as they are. The first stage only fetches the packages.
FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:24-slim
WORKDIR /app
# Loopback inside a container can't be reached from outside. Beyond loopback the service insists on a listener or a token.
ENV NODE_ENV=production HOST=0.0.0.0
COPY package.json package-lock.json ./
COPY --from=packages /app/node_modules ./node_modules
COPY migrations ./migrations
COPY src ./src
# A volume takes its owner from this folder.
RUN install --directory --owner=node --group=node /var/lib/thingspace
# /app belongs to root and nothing is written there, so the root file system may be read-only.
USER node
EXPOSE 3000
# Whether the process answers at all. /health/ready also checks the database, which a restart would not bring back.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/live`).then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# `docker run <image> src/commands/migrate.ts` runs another of the programs in src/commands.
ENTRYPOINT ["node"]
CMD ["src/server.ts"]
