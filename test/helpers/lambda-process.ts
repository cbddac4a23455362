import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { unzipSync } from 'fflate'
import type { Teardown } from './teardown.js'

/**
 * What Lambda's runtime does with a function whose handler is `index.handler`: loads it once, and gives it one event
 * after the other. Events come as lines on standard input, answers leave on file descriptor 3.
 */
const RUNTIME = `
import { createInterface } from 'node:readline'
import { writeSync } from 'node:fs'
const { handler } = await import(process.env.LAMBDA_TASK_ROOT + '/index.mjs')
for await (const line of createInterface({ input: process.stdin })) {
  const endsAt = Date.now() + 60_000
  const context = {
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    awsRequestId: 'request',
    getRemainingTimeInMillis: () => endsAt - Date.now()
  }
  let answer
  try {
    answer = { result: await handler(JSON.parse(line), context) }
  } catch (error) {
    answer = { errorType: error.name, errorMessage: error.message }
  }
  writeSync(3, JSON.stringify(answer) + '\\n')
}
`

export interface InvocationAnswer {
  result?: any
  errorType?: string
  errorMessage?: string
}

export interface LambdaProcess {
  invoke (event: unknown): Promise<InvocationAnswer>
  /** What the function has written to its log. */
  log (): string
}

/**
 * Starts a process with nothing but the content of the zip and these variables.
 * LAMBDA_NODE names the Node to run, such as that of the runtime; absent: the one that runs the tests.
 */
export async function startFunction (t: Teardown, zip: string, env: Record<string, string>): Promise<LambdaProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'function-'))
  for (const [name, content] of Object.entries(unzipSync(await readFile(zip)))) await writeFile(join(folder, name), content)
  const child = spawn(process.env.LAMBDA_NODE ?? process.execPath, ['--input-type=module', '-e', RUNTIME], {
    cwd: folder,
    env: { LAMBDA_TASK_ROOT: folder, AWS_LAMBDA_FUNCTION_NAME: 'function', AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/function', ...env },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe']
  })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => { log += String(chunk) })
  const answers = createInterface({ input: child.stdio[3] as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  t.teardown(async () => {
    const exited = new Promise(resolve => child.once('exit', resolve))
    child.kill()
    if (child.exitCode === null) await exited
    await rm(folder, { recursive: true, force: true })
  })
  return {
    async invoke (event) {
      child.stdin.write(`${JSON.stringify(event)}\n`)
      const { value, done } = await answers.next()
      if (done === true) throw new Error(`the function has ended: ${log}`)
      return JSON.parse(String(value)) as InvocationAnswer
    },
    log: () => log
  }
}
