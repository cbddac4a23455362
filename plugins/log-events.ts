import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { LogStreamSplitter, readLogStreamShards } from '../lib/access/log-stream-shards.js'
import type { IntakeContext } from '../lib/intake/intake-context.js'
import type { IntakeResult } from '../lib/intake/intake.js'
import { LogEventsIntake } from '../lib/intake/log-events-intake.js'
import { LogLinesIntake, readLogLines } from '../lib/intake/log-lines.js'
import { LogEventsEnvelopeSchema, type LogEventsEnvelope } from '../schemas/log-events.js'
import type { LogLines } from '../schemas/log-lines.js'

declare module 'fastify' {
  interface FastifyInstance { logEvents: ReturnType<typeof createLogEvents> }
}

const envelope = TypeCompiler.Compile(LogEventsEnvelopeSchema)

/** Null for a document that is a request, else the rule it breaks. */
function requestError (document: unknown): string | null {
  const error = envelope.Errors(document).First()
  return error === undefined
    ? null
    : `is wrong${error.path === '' ? '' : ` at ${error.path.slice(1)}`}: ${error.message.toLowerCase()}`
}

function createLogEvents ({ config, intake, itemPolicy, cardinality, prometheus, usage }: FastifyInstance) {
  const splitter = new LogStreamSplitter(readLogStreamShards(config.LOG_STREAM_SHARDS)!)
  const logEvents = new LogEventsIntake({
    readerFor: itemPolicy.logEventReader,
    shardsOf: splitter.shardsOf.bind(splitter),
    makesLogStreams: usage.makesLogStreams,
    lookUpLogStreams: usage.lookUpLogStreams,
    requireLogStream: usage.requireLogStream,
    record: (applicationId, items, bytes) => usage.record(applicationId, 'logs', items, bytes),
    recordRefused: (applicationId, items) => usage.recordRefused(applicationId, 'logs', items),
    collapse: cardinality.collapse,
    recordSeries: usage.recordSeries
  })
  const logLines = new LogLinesIntake({ intake, logEvents, observer: prometheus, requestError })

  return {
    readLines: readLogLines,

    /**
     * Stores the log events of one request.
     * @throws ApiError
     */
    accept (request: LogEventsEnvelope | LogLines, context: IntakeContext): Promise<IntakeResult> {
      return 'lines' in request ? logLines.accept(request, context) : intake.accept(logEvents, request, context)
    }
  }
}

/** Owns `fastify.logEvents`: takes log events in, and forwards them to CloudWatch Logs. */
async function logEvents (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('logEvents', createLogEvents(fastify))
  fastify.forwarding.add(fastify.sinks.logs)
}

export default fp(logEvents, {
  name: 'log-events',
  dependencies: [
    'config', 'usage', 'intake', 'item-policy', 'cardinality', 'prometheus', 'delivery-thread', 'forwarding'
  ]
})
