import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

export interface TestFile {
  name: string
  /** Path of the compiled file. */
  path: string
  /** Path of the file's report in TAP. */
  report: string
}

export interface RunOptions {
  /** How many files run at the same time. */
  jobs: number
  /** A file that has not ended by then is killed. */
  timeoutMs: number
  env: NodeJS.ProcessEnv
  nodeArgs: string[]
  onEnd (file: TestFile, result: FileResult): void
}

export interface FileResult {
  ok: boolean
  assertions: number
  seconds: number
}

/**
 * Runs each file in a process of its own. tap's command would give each process loader hooks, which its threads
 * inherit, and which cost more than most tests: so the processes are plain, and tap judges their reports.
 */
export async function runFiles (files: TestFile[], options: RunOptions): Promise<void> {
  const waiting = files.values()
  await Promise.all(Array.from({ length: options.jobs }, async () => {
    for (const file of waiting) options.onEnd(file, await runFile(file, options))
  }))
}

async function runFile ({ path, report }: TestFile, { timeoutMs, env, nodeArgs }: RunOptions): Promise<FileResult> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [...nodeArgs, path], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const kill = (): void => { child.kill('SIGKILL') }
  process.once('exit', kill)
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    kill()
  }, timeoutMs)
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => { output += chunk })
  const [code, signal] = await once(child, 'close') as [number | null, NodeJS.Signals | null]
  clearTimeout(timer)
  process.off('exit', kill)

  const ok = code === 0
  // A failure outside of an assertion.
  if (!ok && (code === null || !/^not ok/m.test(output))) output += `\nnot ok - ${timedOut ? `no end within ${timeoutMs / 1_000} s` : signal ?? `exit code ${code}`}\n`
  mkdirSync(dirname(report), { recursive: true })
  writeFileSync(report, output)
  return {
    ok,
    assertions: Number(/^# \{ total: (\d+)/m.exec(output)?.[1] ?? 0),
    seconds: (performance.now() - startedAt) / 1_000
  }
}
