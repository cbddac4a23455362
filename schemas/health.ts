import { Type, type Static } from '@sinclair/typebox'
import { ref, stringEnum } from './common.js'

/**
 * The parts of a gateway: its store, its access to AWS, the deliveries of each kind, its forwarders, and the processes
 * that take requests.
 */
const HEALTH_PARTS = ['spool', 'aws', 'metrics', 'logs', 'metering', 'forwarders', 'processes'] as const

/**
 * Why a part fails. Anybody may know the class; the message of an error, which others have written, is for operators.
 */
const HEALTH_CLASSES = [
  /** No credentials or no Region were found, or the credentials are refused. */
  'credentials',
  /** A permission is missing; the metering platform refuses its key. */
  'denied',
  /** No connection: name, address, network, TLS. */
  'unreachable',
  'timeout',
  /** Another service answers than the one that was called. */
  'not-the-service',
  'throttled',
  'server-error',
  /** The calls are refused. */
  'refused',
  /** The store answers, and takes no writes. */
  'read-only',
  'full',
  /** Records wait for a newer gateway. */
  'newer-version',
  /** No process forwards, or not every process takes requests. */
  'absent',
  'other'
] as const
export type HealthClass = typeof HEALTH_CLASSES[number]

const STATUS = stringEnum(['ok', 'failing'])
const FAULT = { part: stringEnum(HEALTH_PARTS), class: stringEnum(HEALTH_CLASSES) }

export const HealthSchema = Type.Object({
  status: STATUS,
  failing: Type.Array(Type.Object(FAULT, { additionalProperties: false }), {
    description: 'The parts that fail, each with the class of its failure.'
  })
}, {
  $id: 'Health',
  additionalProperties: false,
  examples: [{ status: 'failing', failing: [{ part: 'logs', class: 'denied' }] }]
})
export type Health = Static<typeof HealthSchema>

export const FailingPartSchema = Type.Object({
  ...FAULT,
  message: Type.String({
    description: 'As AWS, the network, the store or the metering platform has it, without configured secrets.'
  }),
  partial: Type.Boolean({ description: 'The gateway stays in service.' })
}, {
  $id: 'FailingPart',
  additionalProperties: false,
  examples: [{
    part: 'logs',
    class: 'denied',
    message: '/web/shop:browser: AccessDeniedException: not authorized to perform logs:PutLogEvents',
    partial: false
  }]
})
export type FailingPart = Static<typeof FailingPartSchema>

export const HealthDetailSchema = Type.Object({
  status: STATUS,
  failing: Type.Array(ref(FailingPartSchema))
}, {
  $id: 'HealthDetail',
  additionalProperties: false,
  examples: [{ status: 'failing', failing: FailingPartSchema.examples as unknown[] }]
})
export type HealthDetail = Static<typeof HealthDetailSchema>
