import { parseArguments } from './arguments.js'
import type { Command } from './command.js'

/** The options of `start` and `worker`, for both usages. */
export const START_OPTIONS = `  --host ADDRESS     address to listen on, in place of HOST (0.0.0.0)
  --log-level LEVEL  fatal, error, warn, info, debug, trace or silent, in place of LOG_LEVEL (info)
  -- OPTIONS         further options of fastify start`

/**
 * Starts the gateway by the environment and `.env`, for which options stand in.
 * @param portVariable the variable that --port stands for
 * @param variables further ones, whatever the environment says
 * @throws ArgumentError
 */
export async function startGateway (
  args: string[], portVariable: 'PORT' | 'WORKER_PORT', variables: Record<string, string> = {}
): Promise<void> {
  const end = args.includes('--') ? args.indexOf('--') : args.length
  const { values } = parseArguments({
    args: args.slice(0, end),
    options: { port: { type: 'string' }, host: { type: 'string' }, 'log-level': { type: 'string' } }
  })
  const given = { [portVariable]: values.port, HOST: values.host, LOG_LEVEL: values['log-level'], ...variables }
  for (const [variable, value] of Object.entries(given)) if (value !== undefined) process.env[variable] = value
  // A script that reads the arguments of its process.
  process.argv.splice(2, process.argv.length, ...args.slice(end + 1))
  await import('../../start.js')
}

export const command: Command = {
  name: 'start',
  summary: 'starts the gateway, configured by the environment and .env',
  usage: `Usage: cloudwatch-postman start [options]

Starts the gateway: it takes items and delivers them to CloudWatch. The environment and .env configure it; required
are CLIENT_SECRET_KEY, ACCESS_TOKEN_SECRET_KEY and AWS_REGION. SIGTERM ends it in good order.

  --port PORT        port to listen on, in place of PORT (8080)
${START_OPTIONS}

Example
  CLIENT_SECRET_KEY=$(openssl rand -base64 32) ACCESS_TOKEN_SECRET_KEY=$(openssl rand -base64 32) \\
    AWS_REGION=eu-west-1 cloudwatch-postman start --port 8080`,
  run: async args => { await startGateway(args, 'PORT') }
}
