import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import { ConfigSchema } from '../../schemas/config.js'
import { parseArguments } from './arguments.js'
import type { Command } from './command.js'
import { runChecks } from './doctor/check.js'
import { openContext, type Destinations } from './doctor/context.js'
import { clock } from './doctor/checks/clock.js'
import { credentials } from './doctor/checks/credentials.js'
import { disk } from './doctor/checks/disk.js'
import { endpoints } from './doctor/checks/endpoints.js'
import { gateway } from './doctor/checks/gateway.js'
import { openFiles } from './doctor/checks/open-files.js'
import { permissions } from './doctor/checks/permissions.js'
import { proxies } from './doctor/checks/proxies.js'
import { redis } from './doctor/checks/redis.js'
import { fault, ok, renderReport, reportOf, warning, type Line } from './doctor/report.js'
import { loadEnvFile } from './env-file.js'
import { printable, printableLines } from './printable.js'
import { readConfiguration, type Configuration } from './read-configuration.js'
import { ArgumentError } from './usage-error.js'

const CHECKS = [clock, endpoints, credentials, permissions, redis, disk, openFiles, proxies, gateway] as const
const CONFIGURATION = 'configuration'
/** After the report something that hangs is left behind. */
const EXIT_MS = 500

interface Options extends Destinations {
  url: string | undefined
}

async function read (): Promise<{ configuration: Configuration | null, lines: Line[] }> {
  try {
    loadEnvFile()
    const configuration = await readConfiguration()
    const { config, applications } = configuration
    const names = Object.keys(ConfigSchema.properties).filter(name => (process.env[name] ?? '').trim() !== '')
    const source = config.APPS_FILE === undefined ? 'the environment' : config.APPS_FILE
    const finding = `${names.length} variables are set; applications in ${source}: ${applications.length}`
    return { configuration, lines: [{ check: CONFIGURATION, ...ok(CONFIGURATION, finding) }] }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    const rest = CHECKS.map(({ name }) => name).join(', ')
    return {
      configuration: null,
      lines: [
        {
          check: CONFIGURATION,
          ...fault(CONFIGURATION, error.message, 'Set the variables, see docs/configuration.md.')
        },
        {
          check: CONFIGURATION,
          ...warning(rest, 'not looked at, as the configuration cannot be used', 'Mend it, and look again.')
        }
      ]
    }
  }
}

async function examine ({ url, ...named }: Options): Promise<Line[]> {
  const { configuration, lines } = await read()
  if (configuration === null) return lines
  const { env } = process
  const context = openContext(configuration, {
    environment: env, named, url: url ?? env.POSTMAN_URL ?? `http://localhost:${configuration.config.PORT}`
  })
  try {
    return [...lines, ...await runChecks(CHECKS, context)]
  } finally {
    context.close()
  }
}

function urlOf (text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new ArgumentError('--url must be a URL of http or https, for example http://localhost:8080')
  }
  return text.replace(/\/+$/, '')
}

export const command: Command = {
  name: 'doctor',
  summary: 'looks at the set-up, and says what is wrong and how to mend it',
  usage: `Usage: cloudwatch-postman doctor [options]

Looks at the configuration, the clock, the way to AWS, credentials, permissions, Redis, the disk, the limit of open
files, proxies, and the gateway itself if it runs. Each line is ok, warning or fault, with what was found and its mend.
Nothing is stored in CloudWatch, and nothing is left behind. Variables are read from the environment or from .env.

  --json            prints JSON
  --namespace NAME  tries permissions with this namespace; may be repeated
  --log-group NAME  tries permissions with this log group; may be repeated
  --url URL         the gateway; default $POSTMAN_URL, else http://localhost:$PORT

The exit code is 0 without a fault, 1 with one, and 2 for a wrong option.

Example
  cloudwatch-postman doctor --log-group /web/shop`,
  async run (args) {
    const { values: { json = false, url, namespace = [], 'log-group': logGroup = [] } } = parseArguments({
      args,
      options: {
        json: { type: 'boolean' },
        namespace: { type: 'string', multiple: true },
        'log-group': { type: 'string', multiple: true },
        url: { type: 'string' }
      }
    })
    const lines = await examine({ url: urlOf(url), namespaces: namespace, logGroups: logGroup })
    const report = reportOf(lines)
    console.log(json ? printable(JSON.stringify(report)) : printableLines(renderReport(report)))
    setTimeout(() => process.exit(), EXIT_MS).unref()
    return report.level === 'fault' ? 1 : 0
  }
}
