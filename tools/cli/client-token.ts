/** Prints a client token for CLIENT_SECRET_KEY of the environment or of `.env`. */
import { randomUUID } from 'node:crypto'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import { loadEnvFile } from './env-file.js'

/** @throws ConfigurationError */
function readSecret (): string {
  loadEnvFile()
  const secret = process.env.CLIENT_SECRET_KEY
  if (secret === undefined || secret === '') {
    throw new ConfigurationError(
      'CLIENT_SECRET_KEY is not set: set it in the environment or in .env to the secret of the gateway.'
    )
  }
  return secret
}

try {
  console.log(createClientToken(readSecret(), Date.now(), randomUUID()))
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
