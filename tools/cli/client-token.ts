/** Prints a client token for CLIENT_SECRET_KEY of the environment or of `.env`. */
import { randomUUID } from 'node:crypto'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { loadEnvFile } from './env-file.js'

loadEnvFile()

const secret = process.env.CLIENT_SECRET_KEY
if (secret === undefined || secret === '') {
  console.error('CLIENT_SECRET_KEY is not set: set it in the environment or in .env to the secret of the gateway.')
  process.exitCode = 1
} else {
  console.log(createClientToken(secret, Date.now(), randomUUID()))
}
