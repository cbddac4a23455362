import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** The web processes have at least this time to answer the requests that have come. */
const MIN_CLOSING_MS = 2_500

/** Owns the lives of the web processes: the primary starts them when it is ready, and ends them before it closes. */
async function webProcesses (fastify: FastifyInstance): Promise<void> {
  const { config: { APPS_FILE, SHUTDOWN_GRACE_MS }, processes } = fastify
  if (processes.role !== 'primary') return
  const { web } = processes
  const reload = (): void => web.signal('SIGHUP')
  fastify.addHook('onReady', async () => {
    web.start()
    // Each reads the file again; without a file the signal ends the gateway.
    if (APPS_FILE !== undefined) process.on('SIGHUP', reload)
  })
  fastify.addHook('preClose', async () => {
    process.off('SIGHUP', reload)
    await web.stop(Math.max(SHUTDOWN_GRACE_MS, MIN_CLOSING_MS))
  })
}

// After the others that say when closing has begun: what the requests take of the grace counts.
export default fp(webProcesses, {
  name: 'web-processes', dependencies: ['config', 'processes', 'applications', 'forwarding', 'receipts', 'health']
})
