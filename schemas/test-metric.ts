import { Type, type Static } from '@sinclair/typebox'

/** The namespace that GET /test writes to. */
export const TEST_METRIC_NAMESPACE = 'cloudwatch-postman'

export const TestAnswerSchema = Type.Object({
  ResponseMetadata: Type.Object({
    RequestId: Type.String({ description: 'AWS\'s own id of the call.' })
  }, { additionalProperties: false })
}, {
  $id: 'TestAnswer',
  additionalProperties: false,
  examples: [{ ResponseMetadata: { RequestId: '5f3c2f0e-6c8e-4a44-9d2c-0b1f7f2f7f10' } }]
})
export type TestAnswer = Static<typeof TestAnswerSchema>
