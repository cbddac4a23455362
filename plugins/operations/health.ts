import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { monotonicNow } from '../../lib/clock.js'
import { AwsAccess } from '../../lib/delivery/aws-access.js'
import type { Health } from '../../schemas/health.js'

declare module 'fastify' {
  interface FastifyInstance { health: ReturnType<typeof createHealth> }
}

/** A part that fails; the gateway stays in service while it fails partially. */
type CheckedPart = Health['failing'][number] & { partial: boolean }

function createHealth (fastify: FastifyInstance) {
  const awsAccess = new AwsAccess({ client: fastify.aws.cloudwatch, now: monotonicNow })

  /** Records that wait for a newer gateway are named; the others are stored and delivered meanwhile. */
  async function checkSpool (): Promise<CheckedPart[]> {
    try {
      const unread = await fastify.spool.unread()
      return unread.map(({ kind, version, records }) => ({ part: 'spool', message: `${records} records of version ${version} (${kind}) wait for a newer gateway`, partial: true }))
    } catch (error) {
      return [{ part: 'spool', message: (error as Error).message, partial: false }]
    }
  }

  /** Web alone delivers nothing, and may have no credentials. */
  async function checkAws (): Promise<CheckedPart[]> {
    const failure = fastify.config.FORWARDER === 'off' ? null : await awsAccess.failure()
    return failure === null ? [] : [{ part: 'aws', message: failure, partial: false }]
  }

  return {
    /**
     * Calls nothing of CloudWatch. One denied destination among others that are delivered is told, but does not take
     * the gateway out of service; nor does a metering platform that wants another key.
     */
    async check (): Promise<Health> {
      const own = (await Promise.all([checkSpool(), checkAws()])).flat()
      const parts = [...own, ...fastify.forwarding.failing()]
      const failing = parts.some(({ part, partial }) => !partial && part !== 'metering')
      return { status: failing ? 'failing' : 'ok', failing: parts.map(({ part, message }) => ({ part, message })) }
    }
  }
}

/** Owns `fastify.health`: whether items can be stored and delivered. */
async function health (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('health', createHealth(fastify))
}

export default fp(health, { name: 'health', dependencies: ['config', 'aws', 'spool', 'forwarding'] })
