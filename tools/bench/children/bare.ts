/** The yardstick of intake: Fastify, the same strict schemas, a constant answer; no token, no checks, no store. */
import Fastify from 'fastify'
import { ref } from '../../../schemas/common.js'
import { IntakeAnswerSchema, RejectedItemSchema } from '../../../schemas/intake.js'
import { LogEventSchema, LogEventsRequestSchema } from '../../../schemas/log-events.js'
import { DimensionSchema, MetricDatumSchema, MetricRequestSchema, StatisticSetSchema } from '../../../schemas/metric.js'

const BODY_LIMIT_BYTES = 2_097_152
const ANSWER = { ResponseMetadata: { RequestId: '5f3c2f0e-6c8e-4a44-9d2c-0b1f7f2f7f10' }, accepted: 10, rejected: [] }

const fastify = Fastify({
  bodyLimit: BODY_LIMIT_BYTES,
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false } }
})
for (const schema of [
  RejectedItemSchema, IntakeAnswerSchema, LogEventSchema, LogEventsRequestSchema, DimensionSchema, StatisticSetSchema,
  MetricDatumSchema, MetricRequestSchema
]) {
  fastify.addSchema(schema)
}

for (const [path, body] of [['/logEvents', LogEventsRequestSchema], ['/metric', MetricRequestSchema]] as const) {
  fastify.post(path, {
    schema: { body: ref(body), response: { 201: ref(IntakeAnswerSchema) } }
  }, async (_request, reply) => {
    reply.code(201)
    return ANSWER
  })
}
fastify.get('/health/live', async () => ({ status: 'ok' }))

await fastify.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
