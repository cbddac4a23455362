import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { unzipSync } from 'fflate'
import type { FunctionName } from '../../tools/build/lambda/bundle.js'
import type { Teardown } from './teardown.js'

/**
 * What Lambda's runtime does with a function whose handler is `index.handler`: loads it once, and gives it one event
 * after the other. Events come as lines on standard input, answers leave on file descriptor 3.
 */
const RUNTIME = `
import { createInterface } from 'node:readline'
import { writeSync } from 'node:fs'
const { handler } = await import(process.env.FUNCTION_MODULE)
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
  /** Gives one event to the process, which stands still until then, and again after its answer, as in Lambda. */
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
  for (const [name, content] of Object.entries(unzipSync(await readFile(zip)))) {
    await writeFile(join(folder, name), content)
  }
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return startProcess(t, join(folder, 'index.mjs'), { LAMBDA_TASK_ROOT: folder, ...env }, folder)
}

/** Starts a process with the module of `lambda/` as it is, before it is bundled. */
export function startModule (t: Teardown, name: FunctionName, env: Record<string, string>): LambdaProcess {
  return startProcess(t, fileURLToPath(new URL(`../../lambda/${name}.js`, import.meta.url)), env)
}

function startProcess (t: Teardown, module: string, env: Record<string, string>, cwd?: string): LambdaProcess {
  const child = spawn(process.env.LAMBDA_NODE ?? process.execPath, ['--input-type=module', '-e', RUNTIME], {
    cwd,
    env: {
      FUNCTION_MODULE: module,
      AWS_LAMBDA_FUNCTION_NAME: 'function',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/function',
      ...env
    },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe']
  })
  let log = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => { log += String(chunk) })
  const answers = createInterface({ input: child.stdio[3] as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  t.teardown(async () => {
    const exited = new Promise(resolve => child.once('exit', resolve))
    // A process that stands still hears no other signal.
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await exited
  })
  return {
    async invoke (event) {
      child.kill('SIGCONT')
      child.stdin!.write(`${JSON.stringify(event)}\n`)
      const { value, done } = await answers.next()
      if (done === true) throw new Error(`the function has ended: ${log}`)
      child.kill('SIGSTOP')
      return JSON.parse(String(value)) as InvocationAnswer
    },
    log: () => log
  }
}
