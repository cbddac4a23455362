import type { PlatformRoute } from './platform-fault-plan.js'

const CHECKS = {
  text: (value: unknown) => typeof value === 'string',
  number: (value: unknown) => typeof value === 'number' && value >= 0,
  integer: (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0,
  status: (value: unknown) => Number.isInteger(value) && (value as number) >= 100 && (value as number) <= 599
}
type Type = keyof typeof CHECKS

interface Schema {
  required: string[]
  types: Map<string, Type>
}

/** @param names the names of the members of each type, separated by spaces */
function schema (required: string[], names: Record<Type, string>): Schema {
  const types = Object.entries(names).flatMap(([type, list]) =>
    list.split(' ').map(name => [name, type as Type] as const))
  return { required, types: new Map(types) }
}

/** The schemas by which the platform describes its events. */
const SCHEMAS = {
  meter: schema(['method', 'responseCode'], {
    text: 'api productKey application method url metadata userAgent remoteUser remoteHost httpProtocol contentType ' +
      'correlationId source',
    number: 'backendLatency gatewayLatency',
    integer: 'requestMessageSize responseMessageSize',
    status: 'responseCode'
  }),
  event: schema(['responseCode'], {
    text: 'requestId eventType assetId productKey application method uri metadata contentType remoteHost userAgent ' +
      'correlationId clientId source',
    number: 'backendLatency',
    integer: 'currentMillis elapsedTime requestMessageSize responseMessageSize',
    status: 'responseCode'
  }),
  requests: schema(['transactionId'], {
    text: 'transactionId credential method resource remoteHost sourceId sourceType userAgent contentType',
    number: '',
    integer: 'requestMessageSize',
    status: ''
  }),
  responses: schema(['transactionId', 'responseCode'], {
    text: 'transactionId contentType',
    number: 'backendLatency gatewayLatency',
    integer: 'responseMessageSize totalDuration',
    status: 'responseCode'
  })
} satisfies Record<Exclude<PlatformRoute, 'product-key'>, Schema>

export type EventRoute = keyof typeof SCHEMAS

/** Null when the body is an event of this route, else the rule it breaks. */
export function eventError (route: EventRoute, body: unknown): string | null {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return 'the body must be an object'
  const { required, types } = SCHEMAS[route]
  const missing = required.find(name => !(name in body))
  if (missing !== undefined) return `${missing} is required`
  for (const [name, value] of Object.entries(body)) {
    const type = types.get(name)
    if (type === undefined) return `${name} is not known`
    if (!CHECKS[type](value)) return `${name} must be a ${type}, not ${JSON.stringify(value)}`
  }
  return null
}

/** The client id of the call that an event is about. */
export function applicationOf (body: unknown): string | undefined {
  const { application, credential } = (body ?? {}) as Record<string, unknown>
  const id = application ?? credential
  return typeof id === 'string' ? id : undefined
}
