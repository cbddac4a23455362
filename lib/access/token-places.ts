/** The request has no access token. */
export const NO_TOKEN = Symbol('no token')
/** A place of the request holds something else than a token, or two places hold different tokens. */
export const NOT_A_TOKEN = Symbol('not a token')
export type FoundToken = string | typeof NO_TOKEN | typeof NOT_A_TOKEN

const BEARER = /^Bearer +([^ ]+)$/i

/** The token behind "Bearer", else the whole header, which is no token that verifies. */
export function bearerOf (authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : BEARER.exec(authorization)?.[1] ?? authorization
}

export function isMissing (token: unknown): boolean {
  return token === undefined || token === null || token === ''
}

/** The token that the places of a request hold: header, query and body may repeat it, and must not differ. */
export function findToken (...places: unknown[]): FoundToken {
  let first: unknown = NO_TOKEN
  for (const token of places) {
    if (isMissing(token)) continue
    if (first !== NO_TOKEN && first !== token) return NOT_A_TOKEN
    first = token
  }
  return first === NO_TOKEN || typeof first === 'string' ? first : NOT_A_TOKEN
}
