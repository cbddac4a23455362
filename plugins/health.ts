import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Health } from '../schemas/health.js'

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
    /** Reads only what is known already; writes nothing to AWS. */
    async check (): Promise<Health> {
      const failing = [...await checkSpool(), ...fastify.forwarding.failing()]
      return { status: failing.length === 0 ? 'ok' : 'failing', failing }
    }
  }
}

/** Owns `fastify.health`: whether items can be stored and delivered. */
async function health (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('health', createHealth(fastify))
}

export default fp(health, { name: 'health', dependencies: ['spool', 'forwarding'] })
