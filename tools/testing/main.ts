/** Compiles sources and tests, and runs the tests. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startRedis } from '../shared/redis.js'
import { ROOT } from '../shared/root.js'
import { count, createScreen } from '../shared/screen.js'
import { BUILD_FOLDER, compile } from './compile.js'
import { ensureChromium, ensureImageTools, ensurePackages, ensureRedis, ensureSystemdAnalyze } from './ensure.js'
import { NO_ASSERTIONS, runGroups, type Assertions, type TestGroup, type RunOptions } from './run-groups.js'

const USAGE = `Usage: npm run test:fast | test:slow | test:browser | test:file [-- options] [file …]

Compiles what has changed of sources and tests, and runs every test/**/*.test.ts, or the files that are named.

  --slow     runs test/**/*.slow.ts instead, and sums up which lines of the sources they have run
  --browser  runs test/**/*.browser.ts instead, which need Chromium
  --compile  runs nothing
  --jobs n   runs so many processes at the same time

Each slow or browser test, and each file that is named, has a process of its own; the others share one in groups.
`
/** Where tap finds the reports. */
const REPORTS = '.tap/reports'
/** Where tap finds the lines that the processes of slow tests have run. */
const COVERAGE = '.tap/coverage'
/** Most tests wait more than they compute. */
const DEFAULT_JOBS = 4
/**
 * The files of a group share what the first of them loads and warms up. With more files the last group would run alone
 * at the end.
 */
const GROUP_SIZE = 12
/**
 * Folders whose files start gateways or programs. Such a file counts as two, and begins before the others, or the last
 * group of them would run alone at the end.
 */
const HEAVY = ['test/app/', 'test/plugins/', 'test/routes/', 'test/tools/cli/']
/** Tests that compare times, or take a late answer for a fault: each runs alone, when the others have ended. */
const ALONE = ['test/app/fairness.slow.ts', 'test/tools/chaos/short.slow.ts']
/** Tests that take minutes: they begin first, as one that begins last would run alone at the end. */
const LONG = [
  'test/package/install.slow.ts', 'test/tools/image/image.slow.ts', 'test/plugins/openapi/clients.slow.ts',
  'test/app/several-processes.slow.ts', 'test/app/web-processes.slow.ts', 'test/tools/demo/demo.slow.ts'
]
/** Builds the image, for which programs may have to be installed. */
const IMAGE_TEST = 'test/tools/image/image.slow.ts'
/** Needs a program that Linux alone has. */
const SYSTEMD_TEST = 'test/infra/systemd.slow.ts'
/** The time limit of a test that does not set its own. */
const TEST_TIMEOUT_SECONDS = 240
const GROUP_TIMEOUT_MS = 900_000
const INTERRUPTED = 130
/** A test ends before the threads of the garbage collector would repay their cost. */
const SHORT_RUN_ARGS = ['--single-threaded-gc', '--max-semi-space-size=32']

const screen = createScreen(process.stdout)

interface Options {
  suffix: string
  jobs: number
  /** Whether each file has a process of its own. */
  alone: boolean
  /** Whether the coverage of the tests and their child processes is summed up, too. */
  coverage: boolean
  /** The files to run; empty: all. */
  named: string[]
}

function isHeavy (file: string): boolean {
  return HEAVY.some(folder => file.startsWith(folder))
}

/** The files with the lowest rank begin first. */
function rankOf (file: string): number {
  return LONG.includes(file) ? 0 : isHeavy(file) ? 1 : 2
}

function findTests ({ suffix, named }: Options): string[] {
  if (named.length > 0) return named.map(path => relative(ROOT, resolve(path)))
  return readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith(suffix) && !path.includes('node_modules'))
    .map(path => join('test', path))
    .sort((one, other) => rankOf(one) - rankOf(other) || (one < other ? -1 : 1))
}

function groupOf (files: string[]): TestGroup {
  for (const file of files) if (!existsSync(join(ROOT, file))) throw new Error(`There is no ${file}.`)
  const [first, ...others] = files as [string, ...string[]]
  const name = others.length === 0 ? first : `${first} and ${others.length} more`
  return {
    name,
    paths: files.map(file => join(ROOT, BUILD_FOLDER, file.replace(/\.ts$/, '.js'))),
    report: join(ROOT, REPORTS, `${first}.tap`)
  }
}

/** Neighbours share a group: they load the same modules. */
function groupFiles (files: string[], alone: boolean): string[][] {
  const groups: string[][] = []
  let size = Infinity
  for (const file of files) {
    const weight = alone ? GROUP_SIZE : isHeavy(file) ? 2 : 1
    if (size + weight > GROUP_SIZE) {
      groups.push([])
      size = 0
    }
    groups.at(-1)!.push(file)
    size += weight
  }
  return groups
}

/** @returns the exit code */
async function runTap (args: string[]): Promise<number> {
  // On a terminal, without CI, the reporter would write everything anew at every change.
  const env = { ...process.env, CI: 'true' }
  const tap = spawn(join(ROOT, 'node_modules/.bin/tap'), args, {
    cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit']
  })
  const [code] = await once(tap, 'close') as [number | null]
  return code ?? 1
}

/** Sums up, and has tap show what has failed. @returns the exit code */
async function judge (failed: TestGroup[], { pass, fail, skip }: Assertions): Promise<number> {
  if (failed.length > 0) await runTap(['--reporter=terse', ...failed.map(({ report }) => report)])
  screen.line(`${pass} passed, ${fail} failed, ${skip} skipped`)
  return failed.length > 0 || pass === 0 ? 1 : 0
}

async function runTests (options: Options): Promise<number> {
  const files = findTests(options)
  const beside = groupFiles(files.filter(path => !ALONE.includes(path)), options.alone).map(groupOf)
  const alone = files.filter(path => ALONE.includes(path)).map(path => groupOf([path]))
  ensureRedis()
  if (files.some(name => name.endsWith('.browser.ts'))) ensureChromium()
  if (files.some(name => name.endsWith('.slow.ts'))) ensurePackages()
  if (files.includes(IMAGE_TEST)) ensureImageTools()
  if (process.platform === 'linux' && files.includes(SYSTEMD_TEST)) ensureSystemdAnalyze()
  for (const folder of [REPORTS, COVERAGE]) rmSync(join(ROOT, folder), { recursive: true, force: true })
  const redis = await startRedis()
  const failed: TestGroup[] = []
  const sum = { ...NO_ASSERTIONS }
  const runOptions: Omit<RunOptions, 'jobs'> = {
    runner: join(ROOT, BUILD_FOLDER, 'tools/testing/run-group.js'),
    timeoutMs: GROUP_TIMEOUT_MS,
    env: {
      ...process.env,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      TAP_TIMEOUT: String(TEST_TIMEOUT_SECONDS),
      ...(options.coverage && { NODE_V8_COVERAGE: join(ROOT, COVERAGE) }),
      TEST_REDIS_URL: redis.url
    },
    // Source maps cost time: they serve only a look at a few files.
    nodeArgs: [...SHORT_RUN_ARGS, ...(options.named.length > 0 ? ['--enable-source-maps'] : [])],
    onEnd (group, { ok, assertions, seconds }) {
      if (!ok) failed.push(group)
      for (const outcome of Object.keys(sum) as Array<keyof Assertions>) sum[outcome] += assertions[outcome]
      const { pass, fail, skip } = assertions
      screen.line(
        `${ok ? screen.style('green', '✔') : screen.style('red', '✖')} ${group.name} ` +
          `${screen.style('dim', `${count(pass + fail + skip)} assertions, ${seconds.toFixed(1)} s`)}`
      )
    }
  }
  await runGroups(beside, { ...runOptions, jobs: options.jobs })
  await runGroups(alone, { ...runOptions, jobs: 1 })
  await redis.stop()
  // Before tap shows what has failed, as that removes the coverage.
  if (options.coverage) await runTap(['report', 'text-summary'])
  return await judge(failed, sum)
}

const { values: { slow, browser, jobs, help, compile: compileOnly }, positionals: named } = parseArgs({
  allowPositionals: true,
  options: {
    slow: { type: 'boolean', default: false },
    browser: { type: 'boolean', default: false },
    compile: { type: 'boolean', default: false },
    jobs: { type: 'string', default: String(DEFAULT_JOBS) },
    help: { type: 'boolean', default: false }
  }
})
// Every child ends with this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(INTERRUPTED))
if (help) {
  process.stdout.write(USAGE)
} else {
  compile(ROOT)
  if (!compileOnly) {
    process.exitCode = await runTests({
      suffix: slow ? '.slow.ts' : browser ? '.browser.ts' : '.test.ts',
      jobs: Number(jobs),
      alone: slow || browser || named.length > 0,
      coverage: slow,
      named
    })
  }
}
