import type { Application } from '../../schemas/applications.js'
import { ApiError } from '../http/api-error.js'
import { isObject, unknownField } from '../guards.js'
import { matchesAny } from './glob.js'

/** What a token may write to, within what its application may; a list that is absent narrows nothing. */
export interface Scope {
  namespaces?: string[]
  logGroups?: string[]
  logStreams?: string[]
}

export type ScopeField = keyof Scope

const NAMES: Record<ScopeField, string> = { namespaces: 'namespace', logGroups: 'log group', logStreams: 'log stream' }
const FIELDS: ReadonlySet<string> = new Set(Object.keys(NAMES))
const MAX_GLOBS = 20
/** Characters of all globs together: they travel in every access token. */
const MAX_LENGTH = 1_024

function isGlobs (value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= MAX_GLOBS && value.every(glob => typeof glob === 'string' && glob.length > 0)
}

/** Null when this is not a scope. */
export function readScope (value: unknown): Scope | null {
  if (!isObject(value) || unknownField(value, FIELDS) !== undefined) return null
  const lists = Object.values(value)
  if (!lists.every(isGlobs)) return null
  return lists.flat().join('').length > MAX_LENGTH ? null : value as Scope
}

/**
 * @param identity null: the gateway's own items, which may go anywhere
 * @throws ApiError outOfScope, which names what is not allowed
 */
export function requireScope (identity: { application: Application, scope: Scope | null } | null, field: ScopeField, name: string): void {
  if (identity === null) return
  const narrower = identity.scope?.[field]
  if (matchesAny(identity.application[field], name) && (narrower === undefined || matchesAny(narrower, name))) return
  throw new ApiError('outOfScope', { message: `The access token does not allow the ${NAMES[field]} "${name}".` })
}
