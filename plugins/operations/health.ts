import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Health } from '../../schemas/health.js'

declare module 'fastify' {
  interface FastifyInstance { health: ReturnType<typeof createHealth> }
}

type Failing = Health['failing'][number]

function createHealth (fastify: FastifyInstance) {
  async function checkSpool (): Promise<Failing[]> {
    try {
      await fastify.spool.ping()
      return []
    } catch (error) {
      return [{ part: 'spool', message: (error as Error).message }]
    }
  }

  return {
    /**
     * Reads only what is known already; writes nothing to AWS. One denied destination among others that are delivered
     * is told, but does not take the gateway out of service; nor does a metering platform that wants another key.
     */
    async check (): Promise<Health> {
      const spool = await checkSpool()
      const denied = fastify.forwarding.failing()
      const failing = spool.length > 0 || denied.some(({ part, partial }) => !partial && part !== 'metering')
      return { status: failing ? 'failing' : 'ok', failing: [...spool, ...denied.map(({ part, message }) => ({ part, message }))] }
    }
  }
}

/** Owns `fastify.health`: whether items can be stored and delivered. */
async function health (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('health', createHealth(fastify))
}

export default fp(health, { name: 'health', dependencies: ['spool', 'forwarding'] })
