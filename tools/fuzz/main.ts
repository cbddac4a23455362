import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { positiveInteger } from '../shared/options.js'
import { findPort } from '../shared/ports.js'
import { bareEnvironment, startGatewayProcess, startSandboxProcess, stopAllProcesses } from '../shared/processes.js'
import { createScreen } from '../shared/screen.js'
import { MemoryWatch, mebibytes, type MemoryVerdict } from './memory.js'
import { FUZZ_ENVIRONMENT, fuzz, type FuzzResult } from './run.js'

const USAGE = `Usage: npm run fuzz -- [options]

Sends requests that are made of openapi.json (valid, nearly valid, and garbage) to a real gateway in front of the
CloudWatch sandbox, and holds every answer against the document. Exit code 1 when there was a 5xx, an answer that the
document does not foresee, a connection without an answer, memory that grew beyond its bound, or a crash.

  --requests N   how many (100000)
  --seed N       the same seed gives the same requests, but for tokens and times (1)
`
const INTERRUPTED = 130
const SHOWN_EVERY_MS = 5_000
const SHOWN_FAULTS = 10

const screen = createScreen(process.stdout)

function report (result: FuzzResult, memory: MemoryVerdict): boolean {
  for (const { description, request, answer } of result.faults.slice(0, SHOWN_FAULTS)) {
    screen.line(`${description}\n    ${request}\n    ${answer}`)
  }
  const both = ({ rss, own }: MemoryVerdict['start']): string => `${mebibytes(rss)}, ${mebibytes(own)} of its own`
  screen.table([
    ['requests', String(result.requests)],
    ...Object.entries(result.byStatus).map(([status, count]) => [`  ${status}`, String(count)]),
    ['5xx', String(result.serverErrors)],
    ['answers not as in openapi.json', String(result.mismatches)],
    ['connections without an answer', String(result.unanswered)],
    ['memory at the start', both(memory.start)],
    ['memory after the warm-up', both(memory.warm)],
    ['memory at the end', both(memory.end)],
    ['its own, last quarter (bound)', `${mebibytes(memory.last)} (${mebibytes(memory.bound)})`],
    ['crashes', '0']
  ])
  return result.serverErrors + result.mismatches + result.unanswered === 0 && !memory.grown
}

async function run (requests: number, seed: number): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'postman-fuzz-'))
  const [clientSecret, accessSecret, adminToken] = Array.from({ length: 3 }, () =>
    randomBytes(24).toString('hex')) as [string, string, string]
  try {
    const sandbox = await startSandboxProcess()
    const gateway = await startGatewayProcess({
      ...bareEnvironment(),
      ...FUZZ_ENVIRONMENT,
      CLIENT_SECRET_KEY: clientSecret,
      ACCESS_TOKEN_SECRET_KEY: accessSecret,
      ADMIN_TOKEN: adminToken,
      DATA_DIR: join(folder, 'data'),
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL: sandbox.url,
      AWS_ACCESS_KEY_ID: 'fuzz',
      AWS_SECRET_ACCESS_KEY: 'fuzz',
      LOG_LEVEL: 'fatal'
    }, await findPort(), folder)
    const memory = new MemoryWatch(gateway.pid)
    let shownAt = Date.now()
    const onProgress = (done: number, { serverErrors, mismatches, unanswered }: FuzzResult): void => {
      memory.sample(done)
      if (Date.now() - shownAt < SHOWN_EVERY_MS) return
      shownAt = Date.now()
      screen.line(`${done} of ${requests}, ${serverErrors + mismatches + unanswered} at fault`)
    }
    screen.line(`${requests} requests, seed ${seed}`)
    // A gateway that ends by itself ends the run, and its output is shown.
    const result = await Promise.race(
      [fuzz({ url: gateway.url, clientSecret, adminToken, requests, seed, onProgress }), gateway.ended]
    )
    return report(result, memory.verdict(requests))
  } finally {
    await stopAllProcesses()
    await rm(folder, { recursive: true, force: true })
  }
}

async function main (): Promise<void> {
  const { values } = parseArgs({
    options: {
      requests: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => { stopAllProcesses().finally(() => process.exit(INTERRUPTED)) })
  }
  if (!await run(positiveInteger('requests', values.requests), positiveInteger('seed', values.seed))) {
    process.exitCode = 1
  }
}

main().catch((error: Error & { output?: string }) => {
  process.stderr.write(`${error.message}\n${error.output ?? ''}\n`)
  process.exitCode = 1
})
