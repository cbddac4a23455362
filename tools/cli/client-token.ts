import { randomUUID } from 'node:crypto'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import { parseArguments } from './arguments.js'
import type { Command } from './command.js'
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

export const command: Command = {
  name: 'client-token',
  summary: 'prints a client token, as your server makes it for a page',
  usage: `Usage: cloudwatch-postman client-token

Prints a client token, which is valid for a day. CLIENT_SECRET_KEY is read from the environment or from .env.

Example
  curl -s localhost:8080/token -H 'Content-Type: application/json' \\
    -d "{\\"clientToken\\":\\"$(cloudwatch-postman client-token)\\"}"`,
  async run (args) {
    parseArguments({ args, options: {} })
    console.log(createClientToken(readSecret(), Date.now(), randomUUID()))
  }
}
