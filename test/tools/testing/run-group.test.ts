import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { BUILD } from '../../../tools/shared/root.js'
import { runGroups, type GroupResult, type TestGroup } from '../../../tools/testing/run-groups.js'

const RUNNER = join(BUILD, 'tools/testing/run-group.js')

/** Within the project, where tap is found. */
function testFiles (t: Test, contents: string[]): { folder: string, paths: string[] } {
  const files = contents.map((content, i) => [`${i}.mjs`, `import t from 'tap'\n${content}`] as const)
  const folder = t.testdir(Object.fromEntries(files))
  return { folder, paths: files.map(([name]) => join(folder, name)) }
}

/** Runs files of these contents as one group. */
async function runGroup (t: Test, ...contents: string[]) {
  const { paths } = testFiles(t, contents)
  const group = spawn(process.execPath, [RUNNER], { env: { ...process.env, TEST_FILES: paths.join(delimiter) } })
  const [report, errors, [code]] = await Promise.all([text(group.stdout), text(group.stderr), once(group, 'close')])
  return { report, errors, code: code as number }
}

t.test('the files of a group are one report, and each closes what it has opened before the next one', async t => {
  const { report, errors, code } = await runGroup(t,
    't.teardown(() => { process.env.OPENED = "closed" })\nt.test("first", async t => { t.ok(true); t.equal(1, 1) })',
    't.test("second", async t => { t.equal(process.env.OPENED, "closed") })'
  )
  t.equal(code, 0)
  t.match(report, /ok 1 - first[\s\S]*ok 2 - second/)
  t.match(report, /^# \{ total: 3, pass: 3 \}$/m)
  t.equal(errors, '')
})

t.test('a group fails by what no test has caught', async t => {
  for (const [name, content] of Object.entries({
    'an assertion': 't.test("it", async t => { t.equal(1, 2) })',
    'an error thrown in a test': 't.test("it", async () => { throw new Error("thrown") })',
    'an error thrown behind a test': 't.test("it", async () => { await new Promise(resolve => setTimeout(() => { setTimeout(resolve, 50); throw new Error("thrown") }, 1)) })',
    'a rejection that nobody awaits': 't.test("it", async () => { Promise.reject(new Error("thrown")); await new Promise(resolve => setTimeout(resolve, 50)) })',
    'an error thrown while a file loads': 't.test("it", async () => {})\nthrow new Error("thrown")'
  })) {
    const { report, errors, code } = await runGroup(t, content)
    t.not(code, 0, name)
    t.match(report + errors, name === 'an assertion' ? /not ok/ : /thrown/, name)
  }
})

t.test('each group is summed up, however it ends', async t => {
  const { folder, paths } = testFiles(t, [
    't.test("good", async t => { t.ok(1); t.ok(2) })',
    't.test("bad", async t => { t.ok(0); t.ok(1); t.ok(1, { skip: true }) })',
    't.test("killed", async t => { t.ok(1); process.kill(process.pid, "SIGKILL") })',
    't.test("endless", async t => { t.ok(1); await new Promise(() => setInterval(() => {}, 1_000)) })'
  ])
  const groups = ['good', 'bad', 'killed', 'endless'].map((name, i) => ({ name, paths: [paths[i]!], report: join(folder, 'reports', name) }))
  const results: Record<string, GroupResult> = {}
  const run = (groups: TestGroup[], timeoutMs: number) => runGroups(groups, {
    runner: RUNNER, jobs: 1, timeoutMs, env: process.env, nodeArgs: [], onEnd: ({ name }, result) => { results[name] = result }
  })
  await run(groups.slice(0, 3), 60_000)
  await run(groups.slice(3), 3_000)
  t.match(results, {
    good: { ok: true, assertions: { pass: 2, fail: 0, skip: 0 } },
    bad: { ok: false, assertions: { pass: 1, fail: 1, skip: 1 } },
    killed: { ok: false, assertions: { pass: 0, fail: 1, skip: 0 } },
    endless: { ok: false, assertions: { pass: 0, fail: 1, skip: 0 } }
  })
  t.match(await readFile(groups[2]!.report, 'utf8'), /^not ok - SIGKILL$/m)
  t.match(await readFile(groups[3]!.report, 'utf8'), /^not ok - no end within 3 s$/m)
})
