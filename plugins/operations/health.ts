import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { AwsAccess } from '../../lib/delivery/aws-access.js'
import type { Health } from '../../schemas/health.js'

declare module 'fastify' {
  interface FastifyInstance { health: ReturnType<typeof createHealth> }
}

type Failing = Health['failing'][number]

function createHealth (fastify: FastifyInstance) {
  const awsAccess = new AwsAccess({ client: fastify.aws.cloudwatch, now: () => performance.now() })

  async function checkSpool (): Promise<Failing[]> {
    try {
      await fastify.spool.ping()
      return []
    } catch (error) {
      return [{ part: 'spool', message: (error as Error).message }]
    }
  }

  /** Web alone delivers nothing, and may have no credentials. */
  async function checkAws (): Promise<Failing[]> {
    const failure = fastify.config.FORWARDER === 'off' ? null : await awsAccess.failure()
    return failure === null ? [] : [{ part: 'aws', message: failure }]
  }

  return {
    /**
     * Calls nothing of CloudWatch. One denied destination among others that are delivered is told, but does not take
     * the gateway out of service; nor does a metering platform that wants another key.
     */
    async check (): Promise<Health> {
      const own = (await Promise.all([checkSpool(), checkAws()])).flat()
      const denied = fastify.forwarding.failing()
      const failing = own.length > 0 || denied.some(({ part, partial }) => !partial && part !== 'metering')
      return { status: failing ? 'failing' : 'ok', failing: [...own, ...denied.map(({ part, message }) => ({ part, message }))] }
    }
  }
}

/** Owns `fastify.health`: whether items can be stored and delivered. */
async function health (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('health', createHealth(fastify))
}

export default fp(health, { name: 'health', dependencies: ['config', 'aws', 'spool', 'forwarding'] })
