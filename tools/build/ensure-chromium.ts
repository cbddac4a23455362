/** The browser tests drive a real Chromium: finds it, installs it where it may, or says what to install. */
import { spawnSync } from 'node:child_process'

const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium'

function runs (command: string, args: string[], quiet = true): boolean {
  return spawnSync(command, args, { stdio: quiet ? 'ignore' : 'inherit' }).status === 0
}

function install (): boolean {
  if (!runs('apt-get', ['--version']) || process.getuid?.() !== 0) return false
  return runs('apt-get', ['update', '-qq'], false) && runs('apt-get', ['install', '-y', '-qq', 'chromium'], false)
}

if (!runs(chromium, ['--version'])) {
  console.error(`There is no Chromium at ${chromium}: installing it.`)
  if (!install() || !runs(chromium, ['--version'])) {
    console.error('Chromium could not be installed. Install it with your package manager (package "chromium"), or set CHROMIUM to the path of a Chromium or Chrome, and run the tests again.')
    process.exitCode = 1
  }
}
