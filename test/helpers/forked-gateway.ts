import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { findPort } from '../../tools/shared/ports.js'
import { BUILD } from '../../tools/shared/root.js'
import { CLIENT_SECRET_KEY, eventually } from './app.js'
import type { Teardown } from './teardown.js'

export const ADMIN_TOKEN = 'admin-token-of-the-tests'
const START_TIMEOUT_MS = 60_000
const ANSWER_TIMEOUT_MS = 30_000

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

export interface AskOptions {
  method?: string
  headers?: Record<string, string>
  body?: unknown
  /** How long the answer may take. */
  timeoutMs?: number
}

/** `npm start` in processes of its own. */
export interface ForkedGateway {
  url: string
  port: number
  pid: number
  dataDir: string
  /** What all processes have written. */
  output (): string
  /** The exit code, or the signal that has ended it. */
  exit: Promise<number | NodeJS.Signals>
  kill (signal: NodeJS.Signals): void
  /** Resolves when a request finds the gateway ready. */
  ready (): Promise<void>
  /** Resolves when every web process takes requests. */
  whole (): Promise<void>
  /** A request on a connection of its own, so that the processes take turns. */
  ask (path: string, options?: AskOptions): Promise<Answer>
  token (): Promise<string>
  /** Stores a log event. @returns the answer */
  send (token: string, message: string, headers?: Record<string, string>): Promise<Answer>
  /** The values on the page of Prometheus, by name and labels. */
  metrics (): Promise<Map<string, number>>
}

/** The living children of a process. */
export function childrenOf (pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(text => text !== '').map(Number)
  } catch {
    return []
  }
}

/** Whether a process is there, and no zombie. */
export function lives (pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

function ask (
  url: string, path: string, { method = 'GET', headers = {}, body, timeoutMs = ANSWER_TIMEOUT_MS }: AskOptions = {}
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' }
    const signal = AbortSignal.timeout(timeoutMs)
    const options = { method, agent: false, headers: { ...json, connection: 'close', ...headers }, signal }
    const asked = request(url + path, options, answer => {
      const chunks: Buffer[] = []
      answer.on('data', chunk => chunks.push(chunk))
      answer.once('error', reject)
      answer.once('end', () => resolve({
        status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(chunks).toString()
      }))
    })
    asked.once('error', reject)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** Starts the processes, and waits for nothing. A `.env` in its DATA_DIR is read. */
export async function startForkedGateway (
  t: Teardown, environment: Record<string, string | undefined> = {}
): Promise<ForkedGateway> {
  const dataDir = environment.DATA_DIR ?? await mkdtemp(join(tmpdir(), 'postman-forked-'))
  const port = Number(environment.PORT ?? await findPort())
  const url = `http://127.0.0.1:${port}`
  const child = spawn(process.execPath, [join(BUILD, 'start.js')], {
    cwd: dataDir,
    env: {
      PATH: process.env.PATH,
      CLIENT_SECRET_KEY,
      ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-the-tests',
      ADMIN_TOKEN,
      AWS_REGION: 'eu-west-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      HOST: '127.0.0.1',
      PORT: String(port),
      DATA_DIR: dataDir,
      WEB_CONCURRENCY: '2',
      FLUSH_INTERVAL_MS: '50',
      MAX_EVENT_LOOP_DELAY_MS: '0',
      RATE_LIMIT_PER_MINUTE: '0',
      ...environment
    }
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', chunk => { output += chunk })
  const exit = new Promise<number | NodeJS.Signals>(resolve => {
    child.once('close', (code, signal) => resolve(code ?? signal!))
  })
  t.teardown(async () => {
    const pids = [child.pid!, ...childrenOf(child.pid!)]
    for (const pid of pids) if (lives(pid)) process.kill(pid, 'SIGKILL')
    await exit
    if (environment.DATA_DIR === undefined) await rm(dataDir, { recursive: true, force: true })
  })
  const gateway: ForkedGateway = {
    url,
    port,
    pid: child.pid!,
    dataDir,
    output: () => output,
    exit,
    kill: signal => { child.kill(signal) },
    ready: async () => {
      await eventually(async () => {
        if (child.exitCode !== null) throw new Error(`the gateway has ended: ${output}`)
        return await ask(url, '/health/ready').then(({ status }) => status === 200 ? true : undefined, () => undefined)
      }, START_TIMEOUT_MS)
    },
    whole: async () => {
      await eventually(async () => {
        const { body } = await ask(url, '/health/ready')
        return (JSON.parse(body) as { failing: unknown[] }).failing.length === 0 ? true : undefined
      }, START_TIMEOUT_MS)
    },
    ask: (path, options) => ask(url, path, options),
    async token () {
      const clientToken = createClientToken(CLIENT_SECRET_KEY, Date.now(), randomUUID())
      const { body } = await ask(url, '/token', { method: 'POST', body: { clientToken } })
      return (JSON.parse(body) as { accessToken: string }).accessToken
    },
    send: (token, message, headers = {}) => ask(url, '/logEvents', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...headers },
      body: { logGroupName: '/forked', logStreamName: 's', logEvents: [{ message }] }
    }),
    async metrics () {
      const { body } = await ask(url, '/metrics', { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })
      return new Map(body.split('\n').filter(line => line !== '' && !line.startsWith('#')).map(line => {
        const end = line.lastIndexOf(' ')
        return [line.slice(0, end), Number(line.slice(end + 1))]
      }))
    }
  }
  return gateway
}
