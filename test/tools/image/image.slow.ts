import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { buildImage, DESCRIPTION, removeImage, type BuiltImage } from '../../../tools/image/build.js'
import { confine, type ConfineOptions } from '../../../tools/image/confine.js'
import { findPort } from '../../../tools/shared/ports.js'
import {
  bareEnvironment, startServerProcess, type ProcessError, type ServerProcess
} from '../../../tools/shared/processes.js'
import { BUILD, ROOT } from '../../../tools/shared/root.js'
import { imageObstacle } from '../../../tools/testing/ensure.js'
import { eventually, redisEnvironment } from '../../helpers/app.js'

/** Megabytes, compressed, of a pull of the whole image, and of what an image with the same base has to pull. */
const MAX_MEGABYTES = 150
const MAX_OWN_MEGABYTES = 45
const GRACE_MS = 15_000
const SECRETS = {
  CLIENT_SECRET_KEY: 'client-secret-of-this-test',
  ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-this-test',
  AWS_REGION: 'eu-west-1',
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_ENDPOINT_URL: 'http://127.0.0.1:9'
}
const RUN = join(BUILD, 'tools/image/run.js')
/** Prints the paths that this user may write to. */
const WRITABLE = `
  const { accessSync, constants, readdirSync } = require('node:fs')
  const isWritable = path => { try { accessSync(path, constants.W_OK); return true } catch { return false } }
  const walk = folder => {
    if (isWritable(folder)) console.log(folder)
    if (['/data', '/dev', '/proc'].includes(folder)) return
    let entries = []
    try { entries = readdirSync(folder, { withFileTypes: true }) } catch {}
    for (const entry of entries) {
      const path = folder === '/' ? '/' + entry.name : folder + '/' + entry.name
      if (entry.isDirectory()) walk(path)
      else if (!entry.isSymbolicLink() && isWritable(path)) console.log(path)
    }
  }
  walk('/')`
/** Prints the modules that packages export and that are not there, and those of the SDK that cannot be loaded. */
const MISSING = `
  import { existsSync, readdirSync, readFileSync } from 'node:fs'
  import { fileURLToPath } from 'node:url'
  const names = readdirSync('node_modules').flatMap(name =>
    name.startsWith('@') ? readdirSync('node_modules/' + name).map(inner => name + '/' + inner) : [name])
  for (const name of names.filter(name => !name.startsWith('.'))) {
    const { exports = {} } = JSON.parse(readFileSync('node_modules/' + name + '/package.json'))
    const isModule = path => /^\\.(\\/[^*.]*[^*./])?$/.test(path)
    const keys = Object.keys(exports).filter(key => key.startsWith('.'))
    const paths = typeof exports === 'string' || keys.length === 0 ? ['.'] : keys.filter(isModule)
    for (const path of paths) {
      const specifier = name + path.slice(1)
      try {
        const url = import.meta.resolve(specifier)
        if (/^@(aws-sdk|smithy)\\//.test(name)) await import(url)
        else if (url.startsWith('file:') && !existsSync(fileURLToPath(url))) console.log(specifier)
      } catch (error) {
        console.log(specifier, error.code)
      }
    }
  }`

t.test('the Dockerfile has no fault that its syntax shows', async t => {
  const require = createRequire(join(ROOT, 'tools/testing/packages/package.json'))
  const { validate } = require('dockerfile-utils') as { validate: (text: string) => Array<{ message: string }> }
  t.same(validate(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')), [])
  t.equal(validate('FROM scratch\nRUNN true\n').length, 1, 'which finds faults')
})

const obstacle = imageObstacle()
if (obstacle === null) testImage(await buildImage())
else t.test('the image', { skip: obstacle }, async () => {})

function testImage (image: BuiltImage): void {
  t.teardown(removeImage)
  writeFileSync(DESCRIPTION, JSON.stringify(image))

  /** A folder that only the image's user may use. */
  function volume (t: Test): string {
    const folder = mkdtempSync(join(tmpdir(), 'postman-volume-'))
    chownSync(folder, 1_000, 1_000)
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  }

  /** Runs a process of the image to its end. */
  function runOnce (options: ConfineOptions): { code: number | null, output: string } {
    const { command, args } = confine(image, options)
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 60_000 })
    return { code: status, output: stdout + stderr }
  }

  /** The command that the image says tells its health. */
  function checkHealth (environment: Record<string, string>): { code: number | null, output: string } {
    const [, ...command] = image.config.Healthcheck.Test
    return runOnce({ command, environment })
  }

  /** The image's process, once it answers on the port. */
  async function start (
    t: Test, environment: Record<string, string>, port: number
  ): Promise<ServerProcess & { log: () => string }> {
    let log = ''
    const url = `http://127.0.0.1:${port}`
    const server = await startServerProcess({
      name: 'The image',
      command: process.execPath,
      args: [RUN, DESCRIPTION],
      env: { ...bareEnvironment(), ...SECRETS, ...environment },
      onOutput: chunk => { log += chunk }
    }, () => fetch(`${url}/health/live`).then(({ ok }) => ok ? url : undefined, () => undefined))
    t.teardown(() => server.stop())
    return { ...server, log: () => log }
  }

  t.test(`it takes ${MAX_MEGABYTES} MB compressed at most, and ${MAX_OWN_MEGABYTES} beside its base`, async t => {
    const [base, own] = [image.baseBytes / 1e6, image.ownBytes / 1e6] as const
    console.error(`The image, compressed: ${own.toFixed(1)} MB beside its base of ${base.toFixed(1)} MB.`)
    t.ok(own <= MAX_OWN_MEGABYTES, `${own} MB`)
    t.ok(base + own <= MAX_MEGABYTES, `${base + own} MB`)
  })

  t.test('it says what it is, and how it is run', async t => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    t.match(image.config, {
      User: '1000:1000',
      WorkingDir: '/app',
      Entrypoint: ['/usr/bin/tini', '-s', '--'],
      Cmd: ['node', 'dist/start.js'],
      StopSignal: 'SIGTERM',
      Healthcheck: { Test: ['CMD', 'node', 'dist/tools/cli/health-check.js'] },
      ExposedPorts: { '8080/tcp': {}, '8081/tcp': {} },
      Volumes: { '/data': {} },
      Labels: {
        'org.opencontainers.image.title': 'cloudwatch-postman',
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.licenses': 'MIT'
      }
    })
  })

  t.test('its process is the user 1000, has no rights, and can write to its volume alone', async t => {
    const data = volume(t)
    const { output: status } = runOnce({ data, command: ['/bin/cat', '/proc/self/status'] })
    t.match(status, /^Uid:\t1000\t1000\t1000\t1000$/m)
    t.match(status, /^Gid:\t1000\t1000\t1000\t1000$/m)
    t.match(status, /^CapEff:\t0+$/m)
    t.match(status, /^NoNewPrivs:\t1$/m)
    t.equal(runOnce({ data, command: ['node', '--eval', WRITABLE] }).output, '/data\n')
    for (const path of ['/tmp/file', '/app/file', '/app/dist/start.js', '/home/node/file']) {
      const command = ['node', '--eval', 'fs.writeFileSync(process.argv[1], "")', path]
      const { code, output } = runOnce({ data, command })
      t.equal(code, 1)
      t.match(output, /EROFS|EACCES/, path)
    }
    t.equal(runOnce({ data, command: ['node', '--eval', 'fs.writeFileSync("/data/file", "")'] }).code, 0)
    const owner = runOnce({ command: ['node', '--print', 'fs.statSync("/data").uid'] }).output
    t.equal(owner, '1000\n', 'as which an engine creates a volume')
  })

  t.test('it holds what runs, and nothing else', async t => {
    const list = (path: string): string[] =>
      runOnce({ command: ['node', '--print', `fs.readdirSync("${path}").join("\\n")`] }).output.trim().split('\n')
    const app = list('/app')
    for (const name of ['dist', 'fastify.config.cjs', 'LICENSE', 'node_modules', 'package.json']) {
      t.ok(app.includes(name), name)
    }
    for (const name of ['.env', '.git', '.npmrc', 'docs', 'infra', 'lib', 'package-lock.json', 'test', 'tools']) {
      t.notOk(app.includes(name), name)
    }
    const modules = list('/app/node_modules')
    for (const name of ['fastify', 'lmdb']) t.ok(modules.includes(name), name)
    for (const name of ['typescript', 'tap', 'eslint', 'playwright-core']) t.notOk(modules.includes(name), name)
  })

  t.test('it has the program of the package, and the sandbox', async t => {
    const version = image.config.Labels['org.opencontainers.image.version']
    t.same(runOnce({ command: ['cloudwatch-postman', '--version'] }), { code: 0, output: `${version}\n` })
    const { code, output } = runOnce({ command: ['node', 'dist/tools/sandbox/main.js', '--help'] })
    t.equal(code, 0)
    t.match(output, '--host')
  })

  t.test('what was removed of its packages is missed by none', async t => {
    t.equal(runOnce({ command: ['node', '--input-type=module', '--eval', MISSING] }).output, '')
  })

  t.test('without secrets it names each variable that is missing, and ends with 1', async t => {
    const { code, output } = runOnce({ data: volume(t) })
    t.equal(code, 1)
    t.same(output.split('\n').map(line => line.split(':')[0]), [
      'The configuration cannot be used.',
      '  CLIENT_SECRET_KEY is missing', '  ACCESS_TOKEN_SECRET_KEY is missing', '  AWS_REGION is missing',
      'See .env.example.', ''
    ])
  })

  t.test('without a volume, or with that of another user, it says in one line what cannot be written', async t => {
    const foreign = mkdtempSync(join(tmpdir(), 'postman-volume-'))
    t.teardown(() => rmSync(foreign, { recursive: true, force: true }))
    for (const [data, reason] of [[undefined, 'EROFS'], [foreign, 'EACCES']] as const) {
      for (const DATA_DIR of ['/data', './data']) {
        const { code, output } = runOnce({ data, environment: { ...SECRETS, DATA_DIR } })
        t.equal(code, 1)
        t.match(output, new RegExp(
          `^the spool cannot write to ${DATA_DIR} \\(DATA_DIR\\): ${reason}: .*: let the user 1000 write there, ` +
            'or set DATA_DIR to another directory\\n$', 'i'
        ))
      }
    }
  })

  t.test('it serves, tells its health, and ends in its grace', async t => {
    const port = await findPort()
    const environment = { DATA_DIR: volume(t), PORT: String(port) }
    const before = checkHealth(environment)
    t.equal(before.code, 1)
    t.match(before.output, /^GET \/health\/live at 127\.0\.0\.1, port \d+: .*ECONNREFUSED/)

    const server = await start(t, environment, port)
    t.same(checkHealth(environment), { code: 0, output: '' })
    const startedAt = performance.now()
    await server.stop('SIGTERM')
    t.ok(performance.now() - startedAt < GRACE_MS)
    const { exitCode, signal } = await server.ended.catch((error: ProcessError) => error)
    t.same([exitCode, signal], [0, null], server.log())
  })

  t.test('with WEB_CONCURRENCY it starts other processes, and all end with it', async t => {
    const port = await findPort()
    const ADMIN_TOKEN = 'admin-token-of-this-test'
    const environment = { DATA_DIR: volume(t), PORT: String(port), WEB_CONCURRENCY: '2', ADMIN_TOKEN }
    const server = await start(t, environment, port)
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
    await eventually(async () => {
      const metrics = await (await fetch(`${server.url}/metrics`, { headers })).text()
      return /^cloudwatch_postman_web_processes 2$/m.test(metrics) ? true : undefined
    })
    await server.stop('SIGTERM')
    const { exitCode, signal } = await server.ended.catch((error: ProcessError) => error)
    t.same([exitCode, signal], [0, null], server.log())
  })

  t.test('with a Redis, web process and worker need no volume', async t => {
    const redis = await redisEnvironment(t)
    for (const FORWARDER of ['off', 'only']) {
      const port = await findPort()
      const environment = { ...redis, FORWARDER, PORT: String(port), WORKER_PORT: String(port) }
      const server = await start(t, environment, port)
      t.same(checkHealth(environment), { code: 0, output: '' }, FORWARDER)
      await server.stop('SIGTERM')
    }
  })

  t.test('the acceptance tests pass against its process', { timeout: 600_000 }, async t => {
    const main = join(BUILD, 'tools/acceptance/main.js')
    const child = spawn(process.execPath, [main, '--', process.execPath, RUN, DESCRIPTION], {
      cwd: ROOT, env: bareEnvironment(), stdio: ['ignore', 'pipe', 'pipe']
    })
    t.teardown(() => child.kill('SIGTERM'))
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => { output += chunk })
    }
    const [code] = await once(child, 'close') as [number | null]
    t.equal(code, 0, output)
    t.match(output, /Acceptance: the gateway of .*run\.js/)
    t.match(output, /\n +[1-9]\d* passed, 0 failed/)
  })
}
