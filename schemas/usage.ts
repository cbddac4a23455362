import { Type, type Static } from '@sinclair/typebox'
import { ref } from './common.js'

const count = (description?: string) =>
  Type.Integer({ minimum: 0, ...(description === undefined ? {} : { description }) })
const byKind = (description: string) =>
  Type.Object({ metrics: count(), logs: count() }, { additionalProperties: false, description })
const dollars = (description: string) => Type.Number({ minimum: 0, description })

export const ApplicationUsageSchema = Type.Object({
  day: Type.String({ format: 'date', description: 'In UTC.' }),
  application: Type.String(),
  items: byKind('Data points and log events that were stored.'),
  refused: byKind('Data points and log events that were refused; they count for the daily budget of items.'),
  bytes: byKind('As AWS counts them: log events in UTF-8 with 26 bytes for each, data points as JSON.'),
  series: count('Distinct metrics: namespace, name and dimensions. Estimated, as a rule within 2 %.'),
  awsCalls: Type.Record(Type.String(), Type.Number({ minimum: 0 }), {
    description: 'By API; each call is shared out to the applications by their items of the day.'
  }),
  dollars: Type.Object({
    logs: dollars('Ingestion of log events.'),
    series: dollars('Custom metrics, for a whole day each.'),
    calls: dollars('Requests.'),
    total: dollars('What a daily budget is about.')
  }, {
    additionalProperties: false,
    description: 'Estimated with the prices of us-east-1, first tier, without the free tier.'
  })
}, {
  $id: 'ApplicationUsage',
  additionalProperties: false,
  examples: [{
    day: '2026-11-22',
    application: 'shop',
    items: { metrics: 120_000, logs: 4_000 },
    refused: { metrics: 0, logs: 12 },
    bytes: { metrics: 9_600_000, logs: 1_200_000 },
    series: 42,
    awsCalls: { PutMetricData: 1_440, PutLogEvents: 2_160 },
    dollars: { logs: 0.00056, series: 0.42, calls: 0.0144, total: 0.43496 }
  }]
})

export type ApplicationUsage = Static<typeof ApplicationUsageSchema>

export const UsageReportSchema = Type.Object({
  usage: Type.Array(ref(ApplicationUsageSchema), { description: 'The latest day first.' })
}, {
  $id: 'UsageReport', additionalProperties: false, examples: [{ usage: ApplicationUsageSchema.examples as unknown[] }]
})
export type UsageReport = Static<typeof UsageReportSchema>

export const UsageQuerySchema = Type.Object({
  days: Type.Optional(Type.String({
    pattern: '^([1-9]|[12]\\d|3[0-5])$', description: 'How many, today included, at most 35; 1 when absent.'
  }))
}, { additionalProperties: false })
