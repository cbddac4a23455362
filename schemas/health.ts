import { Type, type Static } from '@sinclair/typebox'
import { stringEnum } from './common.js'

export const HealthSchema = Type.Object({
  status: stringEnum(['ok', 'failing']),
  failing: Type.Array(Type.Object({
    part: stringEnum(['spool', 'aws', 'metrics', 'logs', 'metering']),
    message: Type.String()
  }, { additionalProperties: false }), { description: 'The parts that fail, each with what is wrong.' })
}, {
  $id: 'Health',
  additionalProperties: false,
  examples: [{ status: 'failing', failing: [{ part: 'logs', message: '/web/shop:browser: AccessDeniedException: not authorized to perform logs:PutLogEvents' }] }]
})
export type Health = Static<typeof HealthSchema>
