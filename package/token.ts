import { randomUUID } from 'node:crypto'
import { createSigner } from 'fast-jwt'
import { CLIENT_TOKEN_MAX_AGE_MS } from '../lib/access/client-token-times.js'
import { readScope } from '../lib/access/scope.js'
import { unixNow } from '../lib/clock.js'
import { isObject } from '../lib/guards.js'
import { MIN_SECRET_LENGTH } from '../schemas/applications.js'

/** Globs of the destinations that a token may be used for; a list that is absent narrows nothing. */
export interface ClientTokenScope {
  namespaces?: string[]
  logGroups?: string[]
  logStreams?: string[]
}

export interface ClientTokenOptions {
  /** The secret that the token is signed with: `CLIENT_SECRET_KEY`, or a client secret of the application. */
  secret: string
  /** The id of the application in `APPS_FILE`. Absent: `default`, the one of a gateway without that file. */
  application?: string
  /** Seconds for which the token can be traded, 1 to 86,400. Absent: 86,400, a day. */
  expiresInSeconds?: number
  /** Absent: every destination of the application. */
  scope?: ClientTokenScope
  /** The name (`jti`) by which the token, and what it was traded for, can be revoked. Absent: a random UUID. */
  id?: string
}

const MAX_SECONDS = CLIENT_TOKEN_MAX_AGE_MS / 1_000
const APPLICATION_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** @throws TypeError */
function check ({ secret, application, expiresInSeconds, scope, id }: Required<ClientTokenOptions>): void {
  const faults: Array<[isRight: boolean, message: string]> = [
    [
      typeof secret === 'string' && secret.length >= MIN_SECRET_LENGTH,
      `secret must be a string of ${MIN_SECRET_LENGTH} characters or more`
    ],
    [typeof application === 'string' && APPLICATION_ID.test(application), 'application must be the id of one'],
    [
      Number.isInteger(expiresInSeconds) && expiresInSeconds >= 1 && expiresInSeconds <= MAX_SECONDS,
      `expiresInSeconds must be an integer from 1 to ${MAX_SECONDS}`
    ],
    [
      readScope(scope) !== null,
      'scope must be lists of globs: namespaces, logGroups, logStreams; 20 each, 1,024 characters together'
    ],
    [typeof id === 'string' && id !== '', 'id must be a string that is not empty']
  ]
  const fault = faults.find(([isRight]) => !isRight)
  if (fault !== undefined) throw new TypeError(`createClientToken: ${fault[1]}`)
}

/** Without the lists that are undefined, which a scope may not name. */
function withoutAbsent (scope: ClientTokenScope): ClientTokenScope {
  return isObject(scope) ? Object.fromEntries(Object.entries(scope).filter(([, globs]) => globs !== undefined)) : scope
}

/**
 * Makes a client token (a JWT, HS256), which a page trades at `POST /token` for an access token. Call it on a server:
 * whoever has the secret can make tokens.
 * @throws TypeError that names the option which is wrong, and never its value
 */
export function createClientToken (options: ClientTokenOptions): string {
  const {
    secret, application = 'default', expiresInSeconds = MAX_SECONDS, scope: given = {}, id = randomUUID()
  } = options
  const scope = withoutAbsent(given)
  check({ secret, application, expiresInSeconds, scope, id })
  const iat = Math.floor(unixNow() / 1_000)
  const sign = createSigner({ key: secret, algorithm: 'HS256' })
  return sign({ iss: application, jti: id, iat, exp: iat + expiresInSeconds, scope })
}
