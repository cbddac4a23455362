import type { MeteringProfile } from '../../schemas/metering-settings.js'
import { SOURCE, type MeteredCall } from './metered-call.js'

/** One POST to the platform. */
export interface PlatformPost {
  /** Below the base URL; empty for the base URL itself. */
  path: string
  body: object
  /** The same whenever the same call is sent again. */
  idempotencyKey: string
}

/** The requests that tell one API of the platform about a call. */
export interface Profile {
  /** Base URL of the platform's own service. */
  defaultUrl: string
  /** In the order in which they are sent. */
  posts (call: MeteredCall): PlatformPost[]
}

/** Methods that the second version of the API knows. */
const V2_METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD']

/** One event for each call. The API takes no time of the call: it counts when the event arrives. */
const v1Meter: Profile = {
  defaultUrl: 'https://api.revenium.io/meter/v1/api/meter',
  posts: call => [{ path: '', idempotencyKey: call.id, body: meterBody(call) }]
}

function meterBody (call: MeteredCall): object {
  const {
    method, url, application, responseCode, remoteHost, backendLatency, gatewayLatency, requestMessageSize,
    responseMessageSize, userAgent, httpProtocol, correlationId
  } = call
  return {
    method,
    url,
    application,
    responseCode,
    remoteHost,
    backendLatency,
    requestMessageSize,
    responseMessageSize,
    source: SOURCE,
    gatewayLatency,
    userAgent,
    httpProtocol,
    correlationId
  }
}

/** A request and its response, with the time of each. */
const v1Event: Profile = {
  defaultUrl: 'https://api.revenium.io/meter/v1/api/event',
  posts ({
    id, timestamp, method, url, application, responseCode, remoteHost, backendLatency, totalLatency, requestMessageSize,
    responseMessageSize, userAgent, correlationId
  }) {
    const common = {
      requestId: id,
      application,
      clientId: application,
      method,
      uri: url,
      responseCode,
      correlationId,
      source: SOURCE
    }
    const elapsedTime = totalLatency === undefined ? undefined : Math.round(totalLatency)
    return [
      {
        path: '',
        idempotencyKey: `${id}:request`,
        body: { ...common, eventType: 'REQUEST', currentMillis: timestamp, remoteHost, userAgent, requestMessageSize }
      },
      {
        path: '',
        idempotencyKey: `${id}:response`,
        body: {
          ...common,
          eventType: 'RESPONSE',
          currentMillis: timestamp + (elapsedTime ?? 0),
          elapsedTime,
          backendLatency,
          responseMessageSize
        }
      }
    ]
  }
}

/** A request and its response, paired by transactionId. */
const v2: Profile = {
  defaultUrl: 'https://api.revenium.ai/meter',
  posts ({
    id, method, url, application, responseCode, remoteHost, backendLatency, gatewayLatency, totalLatency,
    requestMessageSize, responseMessageSize, userAgent
  }) {
    return [
      {
        path: '/v2/apis/requests',
        idempotencyKey: `${id}:request`,
        body: {
          transactionId: id,
          credential: application,
          method: method !== undefined && V2_METHODS.includes(method) ? method : undefined,
          resource: url,
          remoteHost,
          userAgent,
          requestMessageSize,
          sourceType: SOURCE
        }
      },
      {
        path: '/v2/apis/responses',
        idempotencyKey: `${id}:response`,
        body: {
          transactionId: id,
          responseCode,
          backendLatency,
          gatewayLatency,
          responseMessageSize,
          totalDuration: totalLatency === undefined ? undefined : Math.round(totalLatency)
        }
      }
    ]
  }
}

export const PROFILES: Record<MeteringProfile, Profile> = { 'v1-meter': v1Meter, 'v1-event': v1Event, v2 }
