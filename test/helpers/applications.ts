import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSigner } from 'fast-jwt'
import type { Application } from '../../schemas/applications.js'
import type { Teardown } from './teardown.js'

export const SECRET = 'a-secret-of-the-tests'

/** An application that may do everything, but for what is given. */
export function application (given: Partial<Application> = {}): Application {
  return {
    id: 'shop',
    clientSecrets: [SECRET],
    allowedOrigins: ['*'],
    namespaces: ['*'],
    logGroups: ['*'],
    logStreams: ['*'],
    dimensions: {},
    rateLimits: {},
    budgets: { soft: 0.8, daily: {} },
    redaction: {},
    context: {},
    emf: 'refuse',
    singleUseClientTokens: false,
    ...given
  }
}

/** A client token as a JWT; `exp` in an hour unless given. */
export function clientJwt (claims: object, secret = SECRET, algorithm: 'HS256' | 'HS512' = 'HS256'): string {
  const now = Math.floor(Date.now() / 1000)
  return createSigner({ key: secret, algorithm })({ iss: 'shop', iat: now, exp: now + 3_600, ...claims })
}

/** What a file of applications may leave out. */
export type GivenApplication = Pick<Application, 'id'> & Partial<Omit<Application, 'budgets'>> & {
  budgets?: { soft?: number, daily?: Application['budgets']['daily'] }
}

export interface ApplicationsFile {
  path: string
  write (content: string | Buffer | GivenApplication[]): Promise<void>
}

/**
 * A file for APPS_FILE; each application has SECRET with its id before it and may be used from everywhere, unless
 * given.
 */
export async function applicationsFile (t: Teardown, content: string | GivenApplication[]): Promise<ApplicationsFile> {
  const folder = await mkdtemp(join(tmpdir(), 'applications-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'apps.json')
  const file: ApplicationsFile = {
    path,
    async write (content) {
      const text = typeof content === 'string' || Buffer.isBuffer(content)
        ? content
        : JSON.stringify({
          applications: content.map(given => ({ clientSecrets: [secretOf(given.id)], allowedOrigins: ['*'], ...given }))
        })
      await writeFile(`${path}.new`, text)
      await rename(`${path}.new`, path)
    }
  }
  await file.write(content)
  return file
}

export const secretOf = (id: string): string => `${id}-${SECRET}`
