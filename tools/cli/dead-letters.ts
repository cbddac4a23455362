import type { ParseArgsConfig } from 'node:util'
import type { DeadLetterSummary } from '../../schemas/admin.js'
import { parseArguments } from './arguments.js'
import type { Command } from './command.js'
import { loadEnvFile } from './env-file.js'
import { printable, printableLines } from './printable.js'
import { ArgumentError, UsageError } from './usage-error.js'

const USAGE = `Usage: cloudwatch-postman dead-letters ACTION [options]

Lists, shows, redrives and deletes the dead letters of a running gateway: items that CloudWatch has refused.

  list                 list dead letters, oldest first
  show ID              show one with its record
  redrive              send dead letters again
  delete               delete dead letters for good

Options
  --kind KIND          metrics, logs or metering
  --destination NAME   a namespace, or logGroup:logStream
  --reason REASON      refused or corrupt
  --id ID              one letter; may be repeated (redrive, delete)
  --all                all letters (redrive, delete)
  --json               print JSON
  --url URL            the gateway; default $POSTMAN_URL, else http://localhost:$PORT

ADMIN_TOKEN is read from the environment or from .env.

Example
  cloudwatch-postman dead-letters redrive --reason refused --destination /web/shop:browser`

const PAGE = 500

const OPTIONS = {
  kind: { type: 'string' },
  destination: { type: 'string' },
  reason: { type: 'string' },
  id: { type: 'string', multiple: true },
  all: { type: 'boolean' },
  json: { type: 'boolean' },
  url: { type: 'string' }
} as const satisfies ParseArgsConfig['options']

const parse = (args: string[]) => parseArguments({ args, allowPositionals: true, options: OPTIONS })
type Values = ReturnType<typeof parse>['values']

interface Page { deadLetters: DeadLetterSummary[], next: string | null }

function filter ({ kind, destination, reason }: Values): Record<string, string> {
  return Object.fromEntries(Object.entries({
    kind,
    destination,
    reason
  }).filter(([, value]) => value !== undefined)) as Record<string, string>
}

async function call<T> (values: Values, method: string, path: string, body?: object): Promise<T> {
  const { ADMIN_TOKEN, POSTMAN_URL, PORT } = process.env
  if (ADMIN_TOKEN === undefined || ADMIN_TOKEN === '') {
    throw new UsageError('ADMIN_TOKEN is not set: set it in the environment or in .env to that of the gateway.')
  }
  const url = values.url ?? POSTMAN_URL ?? `http://localhost:${PORT ?? 8080}`
  const response = await fetch(url + path, {
    method,
    headers: {
      Authorization: `Bearer ${ADMIN_TOKEN}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' })
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  }).catch((error: Error) => {
    throw new UsageError(
      `The gateway at ${url} cannot be reached (${String(error.cause ?? error)}): start it, or say --url.`
    )
  })
  const answer = await response.json() as T & { error?: { message: string } }
  if (!response.ok) throw new UsageError(answer.error?.message ?? `The gateway answered ${response.status}.`)
  return answer
}

async function * letters (values: Values): AsyncGenerator<DeadLetterSummary> {
  let cursor: string | null = null
  do {
    const query: URLSearchParams = new URLSearchParams({
      ...filter(values),
      limit: String(PAGE),
      ...(cursor === null ? {} : { cursor })
    })
    const page: Page = await call<Page>(values, 'GET', `/admin/dead-letters?${query}`)
    yield * page.deadLetters
    cursor = page.next
  } while (cursor !== null)
}

function lineOf ({ id, at, kind, reason, items, destination }: DeadLetterSummary): string {
  const count = `${items} item${items === 1 ? '' : 's'}`
  return `${id}  ${at}  ${kind.padEnd(8)} ${reason.padEnd(8)} ${count}  ${printable(destination)}`
}

async function list (values: Values): Promise<void> {
  let count = 0
  for await (const letter of letters(values)) {
    count++
    if (values.json === true) console.log(printable(JSON.stringify(letter)))
    else console.log(`${lineOf(letter)}\n    ${printable(letter.message)}`)
  }
  if (values.json !== true) {
    console.log(count === 0 ? 'No dead letters.' : `${count} dead letter${count === 1 ? '' : 's'}.`)
  }
}

async function show (values: Values, id: string | undefined): Promise<void> {
  if (id === undefined) throw new ArgumentError('show needs the id of a dead letter')
  const letter = await call(values, 'GET', `/admin/dead-letters/${encodeURIComponent(id)}`)
  console.log(printableLines(JSON.stringify(letter, null, values.json === true ? 0 : 2)))
}

async function change (values: Values, method: string, path: string, done: string): Promise<void> {
  const selection = {
    ...filter(values),
    ...(values.id === undefined ? {} : { ids: values.id }),
    ...(values.all === true ? { all: true } : {})
  }
  if (Object.keys(selection).length === 0) {
    throw new ArgumentError('Say which: --kind, --destination, --reason, --id or --all')
  }
  const { count } = await call<{ count: number }>(values, method, path, selection)
  console.log(
    values.json === true ? JSON.stringify({ count }) : `${count} dead letter${count === 1 ? '' : 's'} ${done}.`
  )
}

export const command: Command = {
  name: 'dead-letters',
  summary: 'lists, shows, redrives and deletes the dead letters of a running gateway',
  usage: USAGE,
  async run (args) {
    const { positionals: [action, id], values } = parse(args)
    loadEnvFile()
    if (action === 'list') await list(values)
    else if (action === 'show') await show(values, id)
    else if (action === 'redrive') await change(values, 'POST', '/admin/dead-letters/redrive', 'on the way again')
    else if (action === 'delete') await change(values, 'DELETE', '/admin/dead-letters', 'deleted')
    else throw new ArgumentError('Say what to do: list, show, redrive or delete')
  }
}
