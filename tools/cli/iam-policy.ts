import type { Application } from '../../schemas/applications.js'
import { parseArguments } from './arguments.js'
import { PARTITION_NAMES, partitionOf } from './aws-partitions.js'
import type { Command } from './command.js'
import { loadEnvFile } from './env-file.js'
import { foldPolicy, needsOf, type FoldedPolicy, type Needs, type Place } from './iam-policy/policy.js'
import { POLICY_CHARACTERS, type PolicyForm } from './iam-policy/policy-limits.js'
import { printableLines } from './printable.js'
import { readConfiguration, type Configuration } from './read-configuration.js'
import { ArgumentError } from './usage-error.js'

const USAGE = `Usage: cloudwatch-postman iam-policy [options]

Prints the least rights that the gateway needs, for the applications of APPS_FILE, or for ALLOWED_NAMESPACES and
ALLOWED_LOG_GROUPS without it. Variables are read from the environment or from .env; secrets need not be set.
What had to be widened to fit in a policy is said on standard error.

Options
  --apps FILE       the file of the applications; default APPS_FILE
  --account ID      the account of the log groups; default *
  --region REGION   their Region, or *; default AWS_REGION
  --partition NAME  ${PARTITION_NAMES.slice(0, 3).join(', ')}, …; default that of the Region
  --inline          fold it for inline policies of a role (${POLICY_CHARACTERS.inline} characters in all), in place of a
                    managed policy (${POLICY_CHARACTERS.managed})

Example
  cloudwatch-postman iam-policy --apps apps.json --account 123456789012 --region eu-west-1 > policy.json`

const ACCOUNT = /^(\d{12}|\*)$/
/** What has to be set for the configuration to be read, and no policy holds. */
const UNUSED_SECRETS = {
  CLIENT_SECRET_KEY: 'unused-client-secret', ACCESS_TOKEN_SECRET_KEY: 'unused-access-secret'
}
const ANY = '*'
/** The AWS_REGION that is read when none is set, as one is required. */
const ANY_REGION = 'us-east-1'
/** Globs that are named of each widened one. */
const NAMED_GLOBS = 5

interface Options { apps?: string, account?: string, region?: string, partition?: string, inline?: boolean }

async function readNeeds (apps: string | undefined): Promise<Configuration> {
  const { env } = process
  const isBlank = (name: string): boolean => (env[name] ?? '').trim() === ''
  const missing = Object.entries({ ...UNUSED_SECRETS, AWS_REGION: ANY_REGION }).filter(([name]) => isBlank(name))
  return await readConfiguration({
    environment: { ...env, ...Object.fromEntries(missing), ...(apps === undefined ? {} : { APPS_FILE: apps }) }
  })
}

/** @throws ArgumentError */
function placeOf ({ account = ANY, region = process.env.AWS_REGION?.trim() || ANY, partition }: Options): Place {
  if (!ACCOUNT.test(account)) throw new ArgumentError(`--account must be twelve digits, not ${account}`)
  if (partition !== undefined && !PARTITION_NAMES.includes(partition)) {
    throw new ArgumentError(`--partition must be one of ${PARTITION_NAMES.join(', ')}, not ${partition}`)
  }
  return { account, region, partition: partition ?? partitionOf(region).name }
}

function describeWidened ({ widened }: FoldedPolicy, characters: number): string[] {
  if (widened.length === 0) return []
  const lines = widened.map(({ glob, standsFor }) => {
    const named = standsFor.slice(0, NAMED_GLOBS).join(', ')
    const others = standsFor.length > NAMED_GLOBS ? `, and ${standsFor.length - NAMED_GLOBS} more` : ''
    return `  ${glob} for ${named}${others}`
  })
  return [
    `Widened to fit in ${characters} characters, so that more is allowed than the applications may:`, ...lines,
    'Give applications names that begin alike, or attach several policies, made of parts of the file.'
  ]
}

function describeNeeds ({ namespaces, logGroups, unusable }: Needs, applications: readonly Application[]): string[] {
  return [
    ...(namespaces.length + logGroups.length === 0 ? ['This configuration calls nothing of AWS.'] : []),
    ...unusable.map(glob => `No log group has a name like ${glob}, so nothing is allowed for it.`),
    ...(applications.some(({ emf }) => emf === 'allow')
      ? ['CloudWatch extracts the metrics of log events (emf: allow) by itself: cloudwatch:namespace does not hold ' +
         'them; the gateway does.']
      : [])
  ]
}

async function print (options: Options): Promise<void> {
  loadEnvFile()
  const place = placeOf(options)
  const { config, applications } = await readNeeds(options.apps)
  const needs = needsOf(config, applications)
  const form: PolicyForm = options.inline === true ? 'inline' : 'managed'
  const folded = foldPolicy(needs, place, POLICY_CHARACTERS[form])
  console.log(JSON.stringify(folded.policy, null, 2))
  const notes = [...describeNeeds(needs, applications), ...describeWidened(folded, POLICY_CHARACTERS[form])]
  if (notes.length > 0) console.error(printableLines(notes.join('\n')))
}

export const command: Command = {
  name: 'iam-policy',
  summary: 'prints the IAM policy that the applications need',
  usage: USAGE,
  async run (args) {
    const { values } = parseArguments({
      args,
      options: {
        apps: { type: 'string' },
        account: { type: 'string' },
        region: { type: 'string' },
        partition: { type: 'string' },
        inline: { type: 'boolean' }
      }
    })
    await print(values)
  }
}
