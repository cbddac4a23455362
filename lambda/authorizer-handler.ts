import type { Decision, Entitlement } from '../lib/metering/entitlement.js'
import type { UnixMs } from '../schemas/common.js'
import { AmbiguousClientError, readAuthorizerEvent, type AuthorizerRequest } from './authorizer-event.js'
import { authorizerMetricLine, errorLine, type AuthorizerCounts } from './function-log.js'

export interface AuthorizerContext {
  /** Read by the access log and the metering function. Absent when it cannot be a client id. */
  clientId?: string
  /** `unknown`: the platform gave no verdict, and FAIL_MODE let the call pass. */
  entitlement: Decision['verdict']
}

export interface PolicyAnswer {
  principalId: string
  policyDocument: {
    Version: '2012-10-17'
    Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow' | 'Deny', Resource: string }]
  }
  context: AuthorizerContext
}

export interface SimpleAnswer {
  isAuthorized: boolean
  context: AuthorizerContext
}

export const RESPONSE_MODES = ['policy', 'simple'] as const
export type ResponseMode = typeof RESPONSE_MODES[number]

export interface AuthorizerOptions {
  entitlement: Entitlement
  /** Header that carries the client id. */
  headerName: string
  /** `simple` only for HTTP APIs with payload format 2.0 and simple responses enabled. */
  responseMode: ResponseMode
  /** How often an operator had to act since it was last asked. */
  takeConfigFaults: () => number
  now: () => UnixMs
  write: (line: string) => void
}

/** The principal without a client id; access logs write the same for a missing value. */
const NOBODY = '-'

/** The platform gives no verdict about the client, and FAIL_MODE is closed. */
export class EntitlementUnknownError extends Error {
  override name = 'EntitlementUnknownError'
}

/**
 * Says whether a client may call, for every method and path of the stage: API Gateway keeps the answer for the client
 * id, not for the route.
 */
export function createAuthorizer ({
  entitlement, headerName, responseMode, takeConfigFaults, now, write
}: AuthorizerOptions) {
  async function answer (
    { clientId, resource, takesSimpleAnswer }: AuthorizerRequest, counts: AuthorizerCounts
  ): Promise<PolicyAnswer | SimpleAnswer> {
    const decision = await entitlement.check(clientId)
    if (decision.verdict === 'unknown') {
      counts.unknown++
      write(errorLine('nobody can say whether a client may call', {
        allowed: decision.allowed, reason: decision.reason
      }))
      // A policy that denies would be kept and outlast the outage; a failure refuses this one call.
      if (!decision.allowed) throw new EntitlementUnknownError('the entitlement of the client cannot be determined')
    }
    const context: AuthorizerContext = {
      ...(decision.basis !== 'rule' && { clientId: clientId! }), entitlement: decision.verdict
    }
    if (responseMode === 'simple' && takesSimpleAnswer) return { isAuthorized: decision.allowed, context }
    return policy(context.clientId ?? NOBODY, decision.allowed, resource, context)
  }

  return async (event: unknown, { functionName }: { functionName: string }): Promise<PolicyAnswer | SimpleAnswer> => {
    const counts: AuthorizerCounts = { unknown: 0, configFaults: 0, ambiguous: 0 }
    try {
      return await answer(readAuthorizerEvent(event, headerName), counts)
    } catch (error) {
      if (error instanceof AmbiguousClientError) counts.ambiguous++
      throw error
    } finally {
      counts.configFaults = takeConfigFaults()
      if (Object.values(counts).some(count => count > 0)) write(authorizerMetricLine(counts, functionName, now()))
    }
  }
}

function policy (principalId: string, allowed: boolean, resource: string, context: AuthorizerContext): PolicyAnswer {
  return {
    principalId,
    policyDocument: {
      Version: '2012-10-17',
      Statement: [{ Action: 'execute-api:Invoke', Effect: allowed ? 'Allow' : 'Deny', Resource: resource }]
    },
    context
  }
}
