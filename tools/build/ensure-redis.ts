/** The tests run against a real Redis: finds `redis-server`, installs it where it may, or says what to install. */
import { spawnSync } from 'node:child_process'

function runs (command: string, args: string[], quiet = true): boolean {
  return spawnSync(command, args, { stdio: quiet ? 'ignore' : 'inherit' }).status === 0
}

function install (): boolean {
  if (runs('apt-get', ['--version']) && process.getuid?.() === 0) {
    return runs('apt-get', ['update', '-qq'], false) && runs('apt-get', ['install', '-y', '-qq', 'redis-server'], false)
  }
  return runs('brew', ['--version']) && runs('brew', ['install', 'redis'], false)
}

if (!runs('redis-server', ['--version'])) {
  console.error('redis-server is not on the PATH: installing it.')
  if (!install() || !runs('redis-server', ['--version'])) {
    console.error('redis-server could not be installed. Install Redis 6.2 or later with your package manager (package "redis-server" or "redis") and run the tests again.')
    process.exitCode = 1
  }
}
