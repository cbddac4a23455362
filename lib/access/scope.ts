import { DESTINATION_LISTS, type Application, type DestinationList } from '../../schemas/applications.js'
import { ApiError } from '../http/api-error.js'
import { isObject, unknownField } from '../guards.js'
import { matchesAny } from './glob.js'

/** The destinations of a token, among those of its application; a list that is absent narrows nothing. */
export type Scope = Readonly<Partial<Record<DestinationList, string[]>>>

/** The scope of a token that names none: every destination of its application. */
export const WHOLE_APPLICATION: Scope = Object.freeze({})

const NAMES: Record<DestinationList, string> = {
  namespaces: 'namespace',
  logGroups: 'log group',
  logStreams: 'log stream'
}
const FIELDS: ReadonlySet<string> = new Set(DESTINATION_LISTS)
const MAX_GLOBS = 20
/** Characters of all globs together: they travel in every access token. */
const MAX_LENGTH = 1_024

function isGlobs (value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= MAX_GLOBS &&
    value.every(glob => typeof glob === 'string' && glob.length > 0)
}

/** Null when this is not a scope. */
export function readScope (value: unknown): Scope | null {
  if (!isObject(value) || unknownField(value, FIELDS) !== undefined) return null
  const lists = Object.values(value)
  if (!lists.every(isGlobs)) return null
  return lists.flat().join('').length > MAX_LENGTH ? null : value as Scope
}

/** @throws ApiError outOfScope, which names the destination that is not allowed */
export function requireScope (
  { application, scope }: { application: Application, scope: Scope }, list: DestinationList, name: string
): void {
  const narrower = scope[list]
  if (matchesAny(application[list], name) && (narrower === undefined || matchesAny(narrower, name))) return
  throw new ApiError('outOfScope', { message: `The access token does not allow the ${NAMES[list]} "${name}".` })
}
