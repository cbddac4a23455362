import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../lib/errors.js'
import type { Intake, IntakeContext, IntakeResult } from '../lib/intake.js'
import { brokenLogGroupRule, brokenLogStreamRule, readLogEvent } from '../lib/log-event.js'
import { countLogEvent } from '../lib/record.js'
import { createLogEventsSink } from '../lib/sinks/log-events.js'
import type { LogEventsEnvelope } from '../schemas/log-events.js'

declare module 'fastify' {
  interface FastifyInstance { logEvents: ReturnType<typeof createLogEvents> }
}

function createLogEvents (intake: Intake) {
  return {
    /**
     * Stores the log events of one request.
     * @throws ApiError
     */
    async accept ({ logGroupName, logStreamName, logEvents }: LogEventsEnvelope, context: IntakeContext): Promise<IntakeResult> {
      const groupRule = brokenLogGroupRule(logGroupName)
      if (groupRule !== null) throw new ApiError('invalidRequest', { message: `logGroupName ${groupRule}.` })
      const streamRule = brokenLogStreamRule(logStreamName)
      if (streamRule !== null) throw new ApiError('invalidRequest', { message: `logStreamName ${streamRule}.` })
      const now = Date.now()
      return await intake.accept({
        kind: 'logs',
        destination: `${logGroupName}:${logStreamName}`,
        items: logEvents,
        read: (event, index) => readLogEvent(event, index, now),
        count: countLogEvent
      }, context)
    }
  }
}

/** Owns `fastify.logEvents`: takes log events in, and forwards them to CloudWatch Logs. */
async function logEvents (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('logEvents', createLogEvents(fastify.intake))
  const { LOG_RETENTION_DAYS } = fastify.config
  fastify.forwarding.add(createLogEventsSink({
    logs: fastify.aws.logs,
    ...(LOG_RETENTION_DAYS === undefined ? {} : { retentionDays: LOG_RETENTION_DAYS }),
    paces: fastify.pace
  }))
}

export default fp(logEvents, { name: 'log-events', dependencies: ['config', 'intake', 'aws', 'pace', 'forwarding'] })
