import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { BUILD, ROOT } from '../../tools/shared/root.js'
import { openApp } from '../../tools/shared/open-app.js'
import type { Teardown } from './teardown.js'

export const SECRET = 'client-secret-of-this-test'
export const ENVIRONMENT = {
  CLIENT_SECRET_KEY: SECRET, ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-this-test', AWS_REGION: 'eu-west-1'
}

export async function emptyFolder (t: Teardown): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'postman-start-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

/** The built server, as `npm start` starts it, or with other options of the CLI. */
export function startProcess (
  t: Teardown,
  environment: Record<string, string | undefined>,
  options = ['-c', join(ROOT, 'fastify.config.cjs')],
  cwd = ROOT
) {
  const cli = join(ROOT, 'node_modules/fastify-cli/cli.js')
  const child = spawn(process.execPath, [cli, 'start', ...options, join(BUILD, 'app.js')], {
    cwd,
    env: {
      PATH: process.env.PATH,
      ...ENVIRONMENT,
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'aws-secret-of-this-test',
      HOST: '127.0.0.1',
      ...environment
    }
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', chunk => { output += chunk })
  child.stderr.on('data', chunk => { output += chunk })
  const exit = new Promise<number | null>(resolve => child.once('exit', resolve))
  return { child, exit, output: () => output }
}

/**
 * Why the app cannot start, in this process; a process shows the message of a ConfigurationError and no trace.
 * @returns null when it starts
 */
export async function startFault (t: Teardown, environment: Record<string, string>): Promise<unknown> {
  const instance = Fastify({ pluginTimeout: 60_000 })
  try {
    const dataDir = await emptyFolder(t)
    instance.register(openApp, { environment: { ...ENVIRONMENT, DATA_DIR: dataDir, FORWARDER: 'off', ...environment } })
    await instance.ready()
    return null
  } catch (error) {
    return error
  } finally {
    await instance.close()
  }
}
