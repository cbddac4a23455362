import { execFile, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { findPort } from '../../tools/shared/ports.js'
import { ROOT } from '../../tools/shared/root.js'
import { ensureNode24, ensurePackages } from '../../tools/testing/ensure.js'
import { eventually } from '../helpers/app.js'

const execute = promisify(execFile)
const MAX_TARBALL_BYTES = 1_500_000
/** Not copied: what is made, what only this repository needs, and the packages, which are linked. */
const LEFT_OUT = ['node_modules', 'dist', '.test-build', '.git', '.tap', '.node24', 'coverage', 'data', 'test']
const CHECKERS = join(ROOT, 'test/package/checkers')
const SECRET = 'client-secret-of-this-test'
const VARIABLES = {
  CLIENT_SECRET_KEY: SECRET,
  ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-this-test',
  AWS_REGION: 'us-east-1',
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true'
}

interface Packed { filename: string, size: number, files: Array<{ path: string }> }
interface Result { code: number, stdout: string, stderr: string }

let packed: Packed
/** Folder of the tarball. */
let folder: string
/** An app that has installed it. */
let app: string

/** Variables that a user has, and none of this run. */
function environment (variables: Record<string, string> = {}): Record<string, string> {
  const { PATH, HOME } = process.env
  return { PATH: PATH!, HOME: HOME!, ...variables }
}

interface RunOptions { cwd?: string, variables?: Record<string, string> }

async function run (
  command: string, args: string[], { cwd = app, variables = {} }: RunOptions = {}
): Promise<Result> {
  const options = { cwd, env: environment(variables), maxBuffer: 64 * 1_048_576 }
  return await execute(command, args, options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: Result) => ({ code, stdout, stderr })
  )
}

const program = async (...args: string[]): Promise<Result> =>
  await run('npx', ['--no-install', 'cloudwatch-postman', ...args])

/** Writes a file of the app and runs it. */
async function runScript (name: string, code: string, node = process.execPath): Promise<Result> {
  await writeFile(join(app, name), code)
  return await run(node, [name], { variables: VARIABLES })
}

/** Packs a copy of the sources, so that nobody's dist/ is touched. */
async function pack (): Promise<Packed> {
  const sources = join(folder, 'sources')
  await cp(ROOT, sources, {
    recursive: true,
    filter: path => !LEFT_OUT.includes(relative(ROOT, path)) && !path.endsWith('packages/node_modules')
  })
  await symlink(join(ROOT, 'node_modules'), join(sources, 'node_modules'))
  const { code, stdout, stderr } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: sources })
  if (code !== 0) throw new Error(`npm pack has failed: ${stderr}${stdout}`)
  return (JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as [Packed])[0]
}

t.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postman-package-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  packed = await pack()
  app = join(folder, 'app')
  await mkdir(app)
})

t.test('the tarball is small, and has what runs and the manual', async t => {
  const paths = packed.files.map(({ path }) => path)
  t.ok(packed.size <= MAX_TARBALL_BYTES, `${packed.size} bytes, ${paths.length} files`)
  t.comment(`${packed.filename}: ${packed.size} bytes, ${paths.length} files`)
  t.same(paths.filter(path => /\.map$|(^|\/)test\/|tools\/(?:bench|chaos|fuzz|testing|acceptance)\//.test(path)), [])
  t.same(paths.filter(path => path.endsWith('.ts') && !path.endsWith('.d.ts')), [], 'no sources')
  const { bin, exports } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    bin: object, exports: Record<string, string | object>
  }
  const targets = [bin, ...Object.values(exports)].flatMap(target =>
    typeof target === 'string' ? target : Object.values(target))
  for (const target of targets as string[]) t.ok(paths.includes(target.replace('./', '')), target)
  for (const zip of ['metering', 'authorizer']) t.ok(paths.includes(`dist/lambda/${zip}.zip`), zip)
})

t.test('it installs in an empty folder, with the warnings of engines that the README names and no other', async t => {
  await writeFile(join(app, 'package.json'), '{ "private": true }')
  const { code, stderr } = await run('npm', [
    'install', join(folder, packed.filename), 'fastify-4@npm:fastify@4', '--prefer-offline', '--no-audit', '--no-fund'
  ])
  t.equal(code, 0, stderr)
  const warned = [...stderr.matchAll(/EBADENGINE +package: '(.+)@[^@']+'/g)].map(([, name]) => name!)
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8')
  const harmless = /EBADENGINE.*$/m.exec(readme)?.[0] ?? ''
  t.same(warned.filter(name => !harmless.includes(`\`${name}\``)), [])
})

t.test('the types resolve for every import of ES modules, and publint finds nothing', async t => {
  ensurePackages(CHECKERS)
  const tarball = join(folder, packed.filename)
  const checker = (name: string): string => join(CHECKERS, 'node_modules/.bin', name)
  const types = await run(checker('attw'), [tarball, '--profile', 'esm-only', '--no-emoji'])
  t.equal(types.code, 0, types.stdout)
  const lint = await run(checker('publint'), ['run', tarball, '--strict'])
  t.equal(lint.code, 0, lint.stdout + lint.stderr)
  t.notMatch(lint.stdout, /warning|suggestion|error/i)
})

t.test('npx cloudwatch-postman demo --once shows it at work', async t => {
  const { code, stdout, stderr } = await program('demo', '--once')
  t.equal(code, 0, stdout + stderr)
  t.match(stdout, /items in \d+ calls to CloudWatch/)
  t.notOk(stdout.includes('✖'), 'nothing differs')
})

t.test('start reads .env, serves, and ends in good order', async t => {
  const port = await findPort()
  const lines = Object.entries({ ...VARIABLES, PORT: port, HOST: '127.0.0.1', FORWARDER: 'off' })
  await writeFile(join(app, '.env'), lines.map(([name, value]) => `${name}=${value}\n`).join(''))
  const child = spawn(join(app, 'node_modules/.bin/cloudwatch-postman'), ['start', '--log-level', 'warn'], {
    cwd: app, env: environment()
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => { output += chunk })
  const exit = new Promise(resolve => child.once('close', resolve))
  await eventually(() => fetch(`http://127.0.0.1:${port}/health/live`).then(() => true, () => undefined))
  const { stdout: clientToken } = await program('client-token')
  const answer = await fetch(`http://127.0.0.1:${port}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ clientToken: clientToken.trim() })
  })
  t.equal(answer.status, 201, 'the token of client-token is good')
  child.kill('SIGTERM')
  t.equal(await exit, 0)
  t.notMatch(output, /^ +at /m)
  await rm(join(app, '.env'))
  await rm(join(app, 'data'), { recursive: true })
})

t.test('without a configuration start says what is missing, and shows no trace', async t => {
  const { code, stdout, stderr } = await program('start')
  t.equal(code, 1)
  t.match(stdout + stderr, /CLIENT_SECRET_KEY is missing[\s\S]*AWS_REGION is missing/)
  t.notMatch(stdout + stderr, /^ +at |Node\.js v/m)
})

t.test('openapi prints the document that is in the package', async t => {
  const { code, stdout, stderr } = await program('openapi')
  t.equal(code, 0, stderr)
  t.equal(stdout, await readFile(join(app, 'node_modules/cloudwatch-postman/openapi.json'), 'utf8'))
})

/** What the page of the app in the README does, and what came of it. */
const PAGE = `
const post = async (path, body, headers = {}) => {
  const answer = await fetch(url + path, {
    method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body)
  })
  return { status: answer.status, ...await answer.json() }
}
const { clientToken } = await (await fetch(url + '/client-token')).json()
const { accessToken } = await post('/telemetry/token', { clientToken })
const Authorization = \`Bearer \${accessToken}\`
const MetricData = [{ MetricName: 'm', Value: 1, Unit: 'Count' }]
const headers = { Authorization, Prefer: 'wait=5' }
const metric = await post('/telemetry/metric', { params: { Namespace: 'ten', MetricData } }, headers)
const logs = await post('/telemetry/logEvents', {
  logGroupName: '/ten', logStreamName: 's', logEvents: [{ message: 'lines' }]
}, headers)
const { status: documentation } = await fetch(url + '/telemetry/documentation/json')
console.log('RESULT', JSON.stringify({
  metric: metric.status, logs: logs.status, documentation,
  stored: [sandbox.metrics('ten').length, sandbox.logEvents('/ten').length]
}))
await sandbox.stop()
process.exit()
`

t.test('the app of the README takes a token, a metric and a log event under its prefix', async t => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8')
  const [, code] = /^```js\n(import Fastify [\s\S]*?)^```/m.exec(readme)!
  for (const [documentation, status] of [['true', 200], ['false', 404]] as const) {
    const port = await findPort()
    const example = code!.replace('port: 3000', `port: ${port}`)
      .replace("prefix: '/telemetry'", `prefix: '/telemetry', documentation: ${documentation}`)
    for (const changed of [`documentation: ${documentation}`, String(port)]) t.ok(example.includes(changed), changed)
    await writeFile(join(app, 'example.mjs'), example)
    const { stdout, stderr } = await runScript('page.mjs', `
      import { startSandbox } from 'cloudwatch-postman/sandbox'
      const url = 'http://localhost:${port}'
      const sandbox = await startSandbox()
      Object.assign(process.env, sandbox.environment)
      await import('./example.mjs')
      ${PAGE}`)
    const result = /^RESULT (.*)$/m.exec(stdout)?.[1]
    const expected = { metric: 201, logs: 201, documentation: status, stored: [1, 1] }
    t.same(JSON.parse(result ?? '{}'), expected, stderr + stdout)
  }
})

t.test('CommonJS may require it, and gets what an import gets', async t => {
  for (const node of new Set([process.execPath, ensureNode24()])) {
    const { code, stdout, stderr } = await runScript('common.cjs', `
      const postman = require('cloudwatch-postman')
      const { createClientToken } = require('cloudwatch-postman/token')
      const { startSandbox } = require('cloudwatch-postman/sandbox')
      const app = require('fastify')({ pluginTimeout: 60_000 })
      async function main () {
        const sandbox = await startSandbox()
        Object.assign(process.env, sandbox.environment, { FORWARDER: 'off' })
        await app.register(postman, { prefix: '/telemetry' })
        const clientToken = createClientToken({ secret: process.env.CLIENT_SECRET_KEY })
        const { statusCode } = await app.inject({ method: 'POST', url: '/telemetry/token', payload: { clientToken } })
        const imported = await import('cloudwatch-postman')
        console.log(process.version, statusCode, imported.default === postman.default)
        await app.close()
        await sandbox.stop()
      }
      main()`, node)
    t.equal(code, 0, stderr)
    t.match(stdout, /^v\d+\.\d+\.\d+ 201 true\n$/)
    t.equal(stderr, '', 'no warning')
  }
})

t.test('another major version of Fastify is refused by its name', async t => {
  const { code, stdout } = await runScript('four.mjs', `
    import Fastify from 'fastify-4'
    import postman from 'cloudwatch-postman'
    const app = Fastify()
    try {
      await app.register(postman, { prefix: '/telemetry' })
      await app.ready()
    } catch (error) {
      console.log(error.code, error.message)
    }
    process.exit()`)
  t.equal(code, 0)
  t.match(stdout, /^FST_ERR_PLUGIN_VERSION_MISMATCH .*cloudwatch-postman - expected '5\.x' fastify version, '4\./)
})

/** Compiles strictly what uses the package, as a TypeScript project of ES modules does. */
async function compile (t: Test, code: string): Promise<void> {
  await writeFile(join(app, 'typed.mts'), code)
  const { code: exitCode, stdout } = await run(process.execPath, [
    join(ROOT, 'node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023',
    '--skipLibCheck', '--typeRoots', join(ROOT, 'node_modules/@types'), '--types', 'node', 'typed.mts'
  ])
  t.equal(exitCode, 0, stdout)
}

t.test('its types are those of the plugin, the tokens and the sandbox', async t => {
  await compile(t, `
    import Fastify from 'fastify'
    import postman, { type GatewayOptions } from 'cloudwatch-postman'
    import { createClientToken, type ClientTokenOptions } from 'cloudwatch-postman/token'
    import { startSandbox, type FaultRule, type Sandbox } from 'cloudwatch-postman/sandbox'

    const options: GatewayOptions = { environment: process.env, documentation: false, prefix: '/t' }
    await Fastify({ logger: true }).register(postman, options)
    const token: ClientTokenOptions = { secret: 'x', scope: { logStreams: ['s'] } }
    const text: string = createClientToken(token)
    const sandbox: Sandbox = await startSandbox({ port: 0 })
    const rules: FaultRule[] = [{ kind: 'throttle' }]
    sandbox.setFaults(rules)
    const message: string = sandbox.logEvents()[0]!.message + text
    // @ts-expect-error an option that there is not
    const unknown: GatewayOptions = { documentations: true }
    // @ts-expect-error a number
    createClientToken({ secret: 5 })
    console.log(message, unknown)
  `)
})
