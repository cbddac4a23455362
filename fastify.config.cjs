'use strict'

const { env } = process
// As lib/configuration does: the variables that are read here may be the first of a `.env` with a byte order mark.
for (const name of Object.keys(env)) {
  if (name.startsWith('\uFEFF')) env[name.slice(1)] ??= env[name]
}
const worker = env.FORWARDER === 'only'
const GRACE_MS = Number(env.SHUTDOWN_GRACE_MS || 10_000)
/** The time after the forwarders' own grace, for settling and closing the spool. */
const CLOSING_MS = 5_000

// The pinned SDK runs on this Node, whatever Node its successors need.
env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'

/** The options of `fastify start`; the CLI has loaded `.env` by now. */
module.exports = {
  options: true,
  port: Number(worker ? env.WORKER_PORT || 8081 : env.PORT || 8080),
  address: env.HOST || '0.0.0.0',
  logLevel: env.LOG_LEVEL || 'info',
  closeGraceDelay: GRACE_MS + CLOSING_MS,
  pluginTimeout: 30_000
}
