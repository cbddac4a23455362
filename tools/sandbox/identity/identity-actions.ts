import type { Faults } from '../faults.js'
import { textOf, type Action } from '../input.js'

const ACCOUNT = '000000000000'
const CALLER = `arn:aws:iam::${ACCOUNT}:user/sandbox`
/** As in `cloudwatch:PutMetricData`. */
const SERVICE = /^[a-z]+:/
const NAMESPACE = 'ContextEntries.member.1.ContextKeyValues.member.1'
/** Of an ARN. */
const LOG_GROUP = /:log-group:([^:]+)/

/**
 * The actions of STS and IAM that tell of rights. A policy allows what no rule of kind `refuse` stands against.
 */
export function createIdentityActions (faults: Pick<Faults, 'list'>): Record<string, Action> {
  return {
    GetCallerIdentity: () => ({
      body: {
        GetCallerIdentityResponse: {
          GetCallerIdentityResult: { Arn: CALLER, UserId: 'AIDASANDBOX', Account: ACCOUNT }
        }
      }
    }),

    SimulatePrincipalPolicy (input) {
      const action = textOf(input, 'ActionNames.member.1') ?? ''
      const namespace = textOf(input, NAMESPACE)
      const logGroupName = LOG_GROUP.exec(textOf(input, 'ResourceArns.member.1') ?? '')?.[1]
      const isRefused = faults.list().rules.some(rule => rule.kind === 'refuse' &&
        (rule.action === undefined || rule.action === action.replace(SERVICE, '')) &&
        (rule.namespace === undefined || rule.namespace === namespace) &&
        (rule.logGroupName === undefined || rule.logGroupName === logGroupName))
      const decision = { EvalActionName: action, EvalDecision: isRefused ? 'implicitDeny' : 'allowed' }
      return {
        body: {
          SimulatePrincipalPolicyResponse: {
            SimulatePrincipalPolicyResult: { IsTruncated: false, EvaluationResults: { member: decision } }
          }
        }
      }
    }
  }
}
