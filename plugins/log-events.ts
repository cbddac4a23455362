import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { requireScope } from '../lib/access/scope.js'
import { ApiError } from '../lib/http/api-error.js'
import type { IntakeContext, IntakeResult } from '../lib/intake/intake.js'
import { acceptLogBatches, LogDocuments, readLogLines, splitLogDocuments } from '../lib/intake/json-lines-request.js'
import { logGroupNameError, logStreamNameError } from '../lib/items/names.js'
import type { InvalidItemReason } from '../schemas/reasons.js'
import { countLogEvent, encodeLogBody } from '../lib/spool/record.js'
import { LogEventsEnvelopeSchema, type LogEventsEnvelope } from '../schemas/log-events.js'

declare module 'fastify' {
  interface FastifyInstance { logEvents: ReturnType<typeof createLogEvents> }
}

const envelope = TypeCompiler.Compile(LogEventsEnvelopeSchema)

/** Null for what one request may be, else the rule it breaks. */
function brokenEnvelopeRule (document: unknown): string | null {
  const error = envelope.Errors(document).First()
  return error === undefined ? null : `is wrong${error.path === '' ? '' : ` at ${error.path.slice(1)}`}: ${error.message.toLowerCase()}`
}

function createLogEvents ({ intake, itemPolicy, prometheus: { observer }, usage }: FastifyInstance) {
  /** @param indexOf where an event stands in the body */
  function acceptOne ({ logGroupName, logStreamName, logEvents, sentAt, accessToken }: LogEventsEnvelope, context: IntakeContext, indexOf = (index: number) => index): Promise<IntakeResult> {
    const groupRule = logGroupNameError(logGroupName)
    if (groupRule !== null) throw new ApiError('invalidRequest', { message: `logGroupName ${groupRule}.` })
    const streamRule = logStreamNameError(logStreamName)
    if (streamRule !== null) throw new ApiError('invalidRequest', { message: `logStreamName ${streamRule}.` })
    const { identity = null, bodyText = null } = context
    requireScope(identity, 'logGroups', logGroupName)
    requireScope(identity, 'logStreams', logStreamName)
    const { read, receivedAt } = itemPolicy.logEventReader(context, sentAt)
    return intake.accept({
      kind: 'logs',
      destination: `${logGroupName}:${logStreamName}`,
      items: logEvents,
      read: (event, index) => read(event, indexOf(index)),
      measure: countLogEvent,
      // A token is never stored.
      encodeAsCame: events => bodyText === null || receivedAt === null || accessToken !== undefined ? null : encodeLogBody(bodyText, events, receivedAt),
      onStored (events, bytes) {
        if (identity !== null) usage.record(identity.application.id, 'logs', events.length, bytes)
      }
    }, context)
  }

  async function acceptDocuments (documents: LogDocuments, context: IntakeContext): Promise<IntakeResult> {
    const split = splitLogDocuments(documents, brokenEnvelopeRule)
    for (const { reason } of split.rejected) observer.onRefused('logs', reason as InvalidItemReason)
    return await acceptLogBatches(split, async ({ envelope, indexes }, context) => await acceptOne(envelope, context, index => indexes[index]!), context)
  }

  return {
    /** Makes a body of JSON lines into what `accept` takes. */
    fromLines: (documents: unknown[], request: FastifyRequest): object => readLogLines(documents, request.query as object),

    /**
     * Stores the log events of one request.
     * @throws ApiError
     */
    accept (envelope: LogEventsEnvelope, context: IntakeContext): Promise<IntakeResult> {
      return envelope.logEvents instanceof LogDocuments ? acceptDocuments(envelope.logEvents, context) : acceptOne(envelope, context)
    }
  }
}

/** Owns `fastify.logEvents`: takes log events in, and forwards them to CloudWatch Logs. */
async function logEvents (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('logEvents', createLogEvents(fastify))
  fastify.forwarding.add(fastify.sinks.logs)
}

export default fp(logEvents, { name: 'log-events', dependencies: ['usage', 'intake', 'item-policy', 'prometheus', 'delivery-thread', 'forwarding'] })
