import { Type, type Static } from '@sinclair/typebox'
import { PUT_METRIC_DATA as LIMIT, UNITS } from './aws-limits.js'
import { AccessTokenParameter, MAX_ITEMS, SentAtSchema, ref, stringEnum } from './common.js'

export const DimensionSchema = Type.Object({
  Name: Type.String({
    minLength: 1,
    maxLength: LIMIT.MAX_DIMENSION_NAME_LENGTH,
    description: 'ASCII, not blank, not starting with a colon.'
  }),
  Value: Type.String({ minLength: 1, maxLength: LIMIT.MAX_DIMENSION_VALUE_LENGTH, description: 'ASCII, not blank.' })
}, { $id: 'Dimension', additionalProperties: false, examples: [{ Name: 'Page', Value: '/checkout' }] })

const { MAX_ABSOLUTE_VALUE: MAX_VALUE, MIN_ABSOLUTE_VALUE: MIN_VALUE } = LIMIT
/** Numbers that are nearer to zero than CloudWatch takes. */
const TOO_NEAR_TO_ZERO = {
  anyOf: [{ exclusiveMinimum: 0, exclusiveMaximum: MIN_VALUE }, { exclusiveMinimum: -MIN_VALUE, exclusiveMaximum: 0 }]
}
const MetricValueSchema = Type.Number({ minimum: -MAX_VALUE, maximum: MAX_VALUE, not: TOO_NEAR_TO_ZERO })

export const StatisticSetSchema = Type.Object({
  SampleCount: Type.Number({ minimum: MIN_VALUE }),
  Sum: MetricValueSchema,
  Minimum: MetricValueSchema,
  Maximum: MetricValueSchema
}, {
  $id: 'StatisticSet', additionalProperties: false, examples: [{ SampleCount: 3, Sum: 12, Minimum: 2, Maximum: 7 }]
})

export const MetricDatumSchema = Type.Object({
  MetricName: Type.String({ minLength: 1, maxLength: LIMIT.MAX_METRIC_NAME_LENGTH }),
  Dimensions: Type.Optional(Type.Array(ref(DimensionSchema), { maxItems: LIMIT.MAX_DIMENSIONS })),
  Timestamp: Type.Optional(Type.Union([Type.String(), Type.Number()], {
    description: 'ISO 8601, or Unix seconds; a number above 1e11 is read as milliseconds. Absent: now.'
  })),
  Value: Type.Optional(MetricValueSchema),
  Values: Type.Optional(Type.Array(MetricValueSchema, { minItems: 1, maxItems: LIMIT.MAX_VALUES })),
  Counts: Type.Optional(Type.Array(Type.Number({ minimum: 0 }), {
    minItems: 1, maxItems: LIMIT.MAX_VALUES, description: 'One for each of Values.'
  })),
  StatisticValues: Type.Optional(ref(StatisticSetSchema)),
  Unit: Type.Optional(stringEnum(UNITS)),
  StorageResolution: Type.Optional(Type.Unsafe<1 | 60>({ type: 'integer', enum: [...LIMIT.STORAGE_RESOLUTIONS] }))
}, {
  $id: 'MetricDatum',
  additionalProperties: false,
  description: 'As in PutMetricData of the AWS SDK: exactly one of Value, Values (with optional Counts) and ' +
    'StatisticValues.',
  examples: [{
    MetricName: 'PageLoad',
    Value: 812,
    Unit: 'Milliseconds',
    Dimensions: [{ Name: 'Page', Value: '/checkout' }]
  }]
})
export type MetricDatum = Static<typeof MetricDatumSchema>

/** The rules for the whole request; each item of MetricData is judged on its own. */
export const MetricEnvelopeSchema = Type.Object({
  accessToken: AccessTokenParameter,
  sentAt: Type.Optional(Type.Unknown()),
  params: Type.Object({
    Namespace: Type.String(),
    MetricData: Type.Array(Type.Unknown(), { minItems: 1, maxItems: MAX_ITEMS })
  }, { additionalProperties: false })
}, { additionalProperties: false })
export type MetricEnvelope = Static<typeof MetricEnvelopeSchema>

export const MetricRequestSchema = Type.Object({
  accessToken: AccessTokenParameter,
  sentAt: SentAtSchema,
  params: Type.Object({
    Namespace: Type.String({
      minLength: 1, maxLength: LIMIT.MAX_NAMESPACE_LENGTH, description: 'ASCII, not starting with "AWS/" or a colon.'
    }),
    MetricData: Type.Array(ref(MetricDatumSchema), { minItems: 1, maxItems: MAX_ITEMS })
  }, { additionalProperties: false, description: 'As in PutMetricData of the AWS SDK for JavaScript.' })
}, {
  $id: 'MetricRequest',
  additionalProperties: false,
  examples: [{
    params: { Namespace: 'shop', MetricData: [{ MetricName: 'PageLoad', Value: 812, Unit: 'Milliseconds' }] }
  }]
})
