import type { Application } from '../../schemas/applications.js'
import { literalLength, matchesGlob } from './glob.js'

/** Client secrets of all applications: a client token in the predecessor's form names none, so each secret is tried. */
export const MAX_SECRETS = 1_000
const ANY_ORIGIN = '*'

export interface Fault {
  /** As in `applications[1].clientSecrets[0]`. */
  path: string
  message: string
}

/**
 * The first fault that no schema can state; null when there is none.
 * @param taken the secrets of the gateway, by the variable that holds each
 */
export function findFault (
  applications: readonly Application[], taken: ReadonlyMap<string, string> = new Map()
): Fault | null {
  const ids = new Set<string>()
  const secrets = new Set<string>()
  for (const [index, { id, clientSecrets, dimensions }] of applications.entries()) {
    const path = `applications[${index}]`
    if (ids.has(id)) return { path: `${path}.id`, message: 'is the id of another application' }
    ids.add(id)
    for (const [i, secret] of clientSecrets.entries()) {
      if (secrets.has(secret)) {
        return {
          path: `${path}.clientSecrets[${i}]`,
          message: 'is given twice, so it does not tell which application it is'
        }
      }
      if (taken.has(secret)) {
        return {
          path: `${path}.clientSecrets[${i}]`,
          message: `equals ${taken.get(secret)}: who makes client tokens would know it`
        }
      }
      secrets.add(secret)
    }
    if (secrets.size > MAX_SECRETS) {
      return { path: `${path}.clientSecrets`, message: `makes more than ${MAX_SECRETS} secrets in all` }
    }
    const missing = dimensions.required?.findIndex(name => dimensions.allowed?.includes(name) === false) ?? -1
    if (missing >= 0) {
      return { path: `${path}.dimensions.required[${missing}]`, message: 'is not among the allowed dimensions' }
    }
  }
  return null
}

/** The applications in force; all of them change at once. */
export class Applications {
  #byId = new Map<string, Application>()
  #origins = new Set<string>()
  #clientSecrets: readonly string[] = []

  constructor (applications: readonly Application[]) {
    this.replace(applications)
  }

  replace (applications: readonly Application[]): void {
    this.#byId = new Map(applications.map(application => [application.id, application]))
    this.#origins = new Set(applications.flatMap(({ allowedOrigins }) => allowedOrigins))
    this.#clientSecrets = applications.flatMap(({ clientSecrets }) => clientSecrets)
  }

  get (id: string): Application | undefined {
    return this.#byId.get(id)
  }

  get count (): number {
    return this.#byId.size
  }

  /** In the order of the file. */
  list (): Application[] {
    return [...this.#byId.values()]
  }

  /** The client secrets of all applications; another array once the applications have changed. */
  get clientSecrets (): readonly string[] {
    return this.#clientSecrets
  }

  /** Whether some application allows every origin. */
  get anyOrigin (): boolean {
    return this.#origins.has(ANY_ORIGIN)
  }

  /** Whether some application allows pages of this origin; which application a request is of is known later. */
  allowsOrigin (origin: string): boolean {
    return this.anyOrigin || this.#origins.has(origin)
  }

  /** The retention that the application with the narrowest glob for this log group asks for. */
  retentionDaysFor (group: string): Application['retentionDays'] {
    let narrowest = -1
    let days: Application['retentionDays']
    for (const { logGroups, retentionDays } of this.#byId.values()) {
      for (const glob of logGroups) {
        const length = literalLength(glob)
        if (length > narrowest && matchesGlob(glob, group)) {
          narrowest = length
          days = retentionDays
        }
      }
    }
    return days
  }
}

/** Whether pages of this origin may use the application. */
export function allowsOrigin ({ allowedOrigins }: Application, origin: string): boolean {
  return allowedOrigins.includes(ANY_ORIGIN) || allowedOrigins.includes(origin)
}
