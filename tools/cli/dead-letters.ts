/** Lists, shows, redrives and deletes the dead letters of a running gateway. */
import { parseArgs } from 'node:util'
import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import type { DeadLetterSummary } from '../../schemas/admin.js'
import { loadEnvFile } from './env-file.js'
import { printable, printableLines } from './printable.js'
import { UsageError } from './usage-error.js'

const USAGE = `Usage: npm run dead-letters -- <command> [options]

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

ADMIN_TOKEN is read from the environment or from .env.`

const PAGE = 500

interface Page { deadLetters: DeadLetterSummary[], next: string | null }

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    kind: { type: 'string' },
    destination: { type: 'string' },
    reason: { type: 'string' },
    id: { type: 'string', multiple: true },
    all: { type: 'boolean' },
    json: { type: 'boolean' },
    url: { type: 'string' },
    help: { type: 'boolean', short: 'h' }
  }
})

function filter (): Record<string, string> {
  const { kind, destination, reason } = values
  return Object.fromEntries(Object.entries({
    kind,
    destination,
    reason
  }).filter(([, value]) => value !== undefined)) as Record<string, string>
}

async function call<T> (method: string, path: string, body?: object): Promise<T> {
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

async function * letters (): AsyncGenerator<DeadLetterSummary> {
  let cursor: string | null = null
  do {
    const query: URLSearchParams = new URLSearchParams({
      ...filter(),
      limit: String(PAGE),
      ...(cursor === null ? {} : { cursor })
    })
    const page: Page = await call<Page>('GET', `/admin/dead-letters?${query}`)
    yield * page.deadLetters
    cursor = page.next
  } while (cursor !== null)
}

function lineOf ({ id, at, kind, reason, items, destination }: DeadLetterSummary): string {
  const count = `${items} item${items === 1 ? '' : 's'}`
  return `${id}  ${at}  ${kind.padEnd(8)} ${reason.padEnd(8)} ${count}  ${printable(destination)}`
}

async function list (): Promise<void> {
  let count = 0
  for await (const letter of letters()) {
    count++
    if (values.json === true) console.log(printable(JSON.stringify(letter)))
    else console.log(`${lineOf(letter)}\n    ${printable(letter.message)}`)
  }
  if (values.json !== true) {
    console.log(count === 0 ? 'No dead letters.' : `${count} dead letter${count === 1 ? '' : 's'}.`)
  }
}

async function show (id: string | undefined): Promise<void> {
  if (id === undefined) throw new UsageError('show needs the id of a dead letter.')
  const letter = await call('GET', `/admin/dead-letters/${encodeURIComponent(id)}`)
  console.log(printableLines(JSON.stringify(letter, null, values.json === true ? 0 : 2)))
}

async function change (method: string, path: string, done: string): Promise<void> {
  const selection = {
    ...filter(),
    ...(values.id === undefined ? {} : { ids: values.id }),
    ...(values.all === true ? { all: true } : {})
  }
  if (Object.keys(selection).length === 0) {
    throw new UsageError('Say which: --kind, --destination, --reason, --id or --all.')
  }
  const { count } = await call<{ count: number }>(method, path, selection)
  console.log(
    values.json === true ? JSON.stringify({ count }) : `${count} dead letter${count === 1 ? '' : 's'} ${done}.`
  )
}

async function main (): Promise<void> {
  loadEnvFile()
  const [command, id] = positionals
  if (values.help === true) console.log(USAGE)
  else if (command === 'list') await list()
  else if (command === 'show') await show(id)
  else if (command === 'redrive') await change('POST', '/admin/dead-letters/redrive', 'on the way again')
  else if (command === 'delete') await change('DELETE', '/admin/dead-letters', 'deleted')
  else throw new UsageError(USAGE)
}

main().catch((error: unknown) => {
  if (!(error instanceof UsageError || error instanceof ConfigurationError)) throw error
  console.error(printableLines(error.message))
  process.exitCode = 1
})
