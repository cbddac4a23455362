import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname } from 'node:path'

/** Test files that share a process. */
export interface TestGroup {
  name: string
  /** Paths of the compiled files. */
  paths: string[]
  /** Path of the group's report in TAP. */
  report: string
}

export interface RunOptions {
  /** The compiled script that runs test files: run-group. */
  runner: string
  /** How many groups run at the same time. */
  jobs: number
  /** A group that has not ended by then is killed. */
  timeoutMs: number
  env: NodeJS.ProcessEnv
  nodeArgs: string[]
  onEnd (group: TestGroup, result: GroupResult): void
}

export interface GroupResult {
  ok: boolean
  assertions: Assertions
  seconds: number
}

/** How many assertions there were. */
export interface Assertions {
  pass: number
  fail: number
  skip: number
}

export const NO_ASSERTIONS: Assertions = { pass: 0, fail: 0, skip: 0 }

/**
 * Runs each group in a process of its own. tap's command would give each process loader hooks, which its threads
 * inherit, and which cost more than most tests: so the processes are plain, and tap shows what their reports say.
 */
export async function runGroups (groups: TestGroup[], options: RunOptions): Promise<void> {
  const waiting = groups.values()
  await Promise.all(Array.from({ length: options.jobs }, async () => {
    for (const group of waiting) options.onEnd(group, await runGroup(group, options))
  }))
}

async function runGroup (
  { name, paths, report }: TestGroup, { runner, timeoutMs, env, nodeArgs }: RunOptions
): Promise<GroupResult> {
  const startedAt = performance.now()
  // tap names the folders of a test after the command line, which must tell groups apart and may not be long.
  const child = spawn(process.execPath, [...nodeArgs, runner, name], {
    env: { ...env, TEST_FILES: paths.join(delimiter) },
    stdio: ['ignore', 'pipe', 'inherit']
  })
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
  if (!ok && (code === null || !/^not ok/m.test(output))) {
    output += `\nnot ok - ${timedOut ? `no end within ${timeoutMs / 1_000} s` : signal ?? `exit code ${code}`}\n`
  }
  mkdirSync(dirname(report), { recursive: true })
  writeFileSync(report, output)
  return {
    ok,
    assertions: readAssertions(output),
    seconds: (performance.now() - startedAt) / 1_000
  }
}

/**
 * Reads the line in which tap sums up a report: `# { total: 3, pass: 2, fail: 1 }`. A report without one has failed.
 */
function readAssertions (report: string): Assertions {
  const [, sums] = /^# \{ (total: .*) \}$/m.exec(report) ?? []
  if (sums === undefined) return { ...NO_ASSERTIONS, fail: 1 }
  const countOf = (outcome: string): number => Number(new RegExp(`\\b${outcome}: (\\d+)`).exec(sums)?.[1] ?? 0)
  return { pass: countOf('pass'), fail: countOf('fail'), skip: countOf('skip') + countOf('todo') }
}
