import { randomUUID } from 'node:crypto'

/** An id of a request that nobody can guess. A server that has this function was made with the options of the app. */
export function createRequestId (): string {
  return randomUUID()
}

/** For Ajv: no value is turned into one of another type, and a field that the schema does not know is an error. */
export const STRICT_VALIDATION = { coerceTypes: false, removeAdditional: false } as const
