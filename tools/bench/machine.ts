import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../shared/root.js'

const GIB = 2 ** 30

function versionOf (name: string): string {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}

/** The machine that the figures were measured on, and the programs that they were measured with. */
export function describeMachine (generator: string): Record<string, string> {
  const processors = cpus()
  const redis = spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout
  return {
    machine: [
      `${processors.length} × ${processors[0]!.model.trim()}`, `${(totalmem() / GIB).toFixed(0)} GiB`,
      `${type()} ${release()}`
    ].join(', '),
    'load before': loadavg().map(load => load.toFixed(2)).join(', '),
    versions: [
      `Node ${process.version}`,
      `fastify ${versionOf('fastify')}`,
      `lmdb ${versionOf('lmdb')}`,
      `ioredis ${versionOf('ioredis')}`,
      `client-cloudwatch-logs ${versionOf('@aws-sdk/client-cloudwatch-logs')}`,
      `Redis ${/v=(\S+)/.exec(redis)?.[1] ?? 'missing'}`
    ].join(', '),
    'load generator': generator
  }
}

/** @throws Error when redis-server, which every run needs, is missing */
export function requireRedis (): void {
  if (spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).error !== undefined) {
    throw new Error('redis-server is not on the PATH: install Redis 6.2 or later.')
  }
}
