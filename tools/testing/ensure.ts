/** The programs and packages that tests need: finds them, installs them where it may, or says how to install them. */
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ROOT } from '../shared/root.js'

/** A folder with a package.json of its own, so that nobody else waits for its packages. */
const PACKAGES = join(ROOT, 'tools/testing/packages')
/** Where CI has the reference Node, too. */
const NODE24 = join(ROOT, '.node24')

/** The tests run against a real Redis. @throws Error */
export function ensureRedis (): void {
  if (runs('redis-server', ['--version'])) return
  console.error('redis-server is not on the PATH: installing it.')
  if ((installWithApt('redis-server') || installWithBrew('redis')) && runs('redis-server', ['--version'])) return
  throw new Error(
    'redis-server could not be installed. Install Redis 6.2 or later with your package manager (package ' +
      '"redis-server" or "redis") and run the tests again.'
  )
}

/** The browser tests drive a real Chromium. @throws Error */
export function ensureChromium (): void {
  const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium'
  if (runs(chromium, ['--version'])) return
  console.error(`There is no Chromium at ${chromium}: installing it.`)
  if (installWithApt('chromium') && runs(chromium, ['--version'])) return
  throw new Error(
    'Chromium could not be installed. Install it with your package manager (package "chromium"), or set CHROMIUM to ' +
      'the path of a Chromium or Chrome, and run the tests again.'
  )
}

/** Why the image cannot be built on this machine; null where it can. */
export function imageObstacle (): string | null {
  if (process.platform === 'linux' && process.getuid?.() === 0) return null
  return 'the image is built, and run read-only, by root on Linux'
}

/** The tests of the image build it with what Debian has, on a base that they make themselves. @throws Error */
export function ensureImageTools (): void {
  const obstacle = imageObstacle()
  if (obstacle !== null) return console.error(`Nothing is tested of the image: ${obstacle}.`)
  const missing = ['buildah', 'mmdebstrap'].filter(name => !runs(name, ['--version']))
  if (missing.length === 0) return
  console.error(`${missing.join(' and ')}: not on the PATH, installing.`)
  if (installWithApt('--no-install-recommends', ...missing) && missing.every(name => runs(name, ['--version']))) return
  throw new Error(
    'buildah and mmdebstrap could not be installed. Install them with your package manager (packages "buildah" and ' +
      '"mmdebstrap"), and run the tests again.'
  )
}

/** One test has systemd look at the unit; systemd need not run for that. @throws Error */
export function ensureSystemdAnalyze (): void {
  if (runs('systemd-analyze', ['--version'])) return
  console.error('systemd-analyze is not on the PATH: installing systemd.')
  if (installWithApt('systemd') && runs('systemd-analyze', ['--version'])) return
  throw new Error(
    'systemd could not be installed. Install it with your package manager (package "systemd") and run the tests again.'
  )
}

/** Installs the packages of a folder that only slow tests need, unless they are there. @throws Error */
export function ensurePackages (folder = PACKAGES): void {
  const installed = join(folder, 'node_modules/.package-lock.json')
  if (existsSync(installed) && statSync(installed).mtimeMs > statSync(join(folder, 'package-lock.json')).mtimeMs) {
    return
  }
  console.error(`Installing the packages of ${relative(ROOT, folder)}, which only slow tests need.`)
  if (!runs('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund', '--silent'], 'inherit')) {
    throw new Error(`npm ci has failed in ${relative(ROOT, folder)}.`)
  }
}

/**
 * The path of a Node 24 or later, which some programs ask for: the one that runs this, the one of LAMBDA_NODE, or one
 * that is installed beside the sources.
 * @throws Error
 */
export function ensureNode24 (): string {
  const { LAMBDA_NODE } = process.env
  const installed = join(NODE24, 'node_modules/node/bin/node')
  const found = [process.execPath, LAMBDA_NODE, installed].find(node => node !== undefined && isNode24(node))
  if (found !== undefined) return found
  console.error('Installing Node 24, which some generators of clients ask for.')
  const args = ['install', '--prefix', NODE24, '--no-save', '--no-audit', '--no-fund', '--silent', 'node@24']
  if (runs('npm', args, 'inherit') && isNode24(installed)) return installed
  throw new Error('Node 24 could not be installed: set LAMBDA_NODE to the path of one, and run the tests again.')
}

function isNode24 (node: string): boolean {
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  return Number(/^v(\d+)/.exec(stdout ?? '')?.[1]) >= 24
}

function installWithApt (...args: string[]): boolean {
  if (process.getuid?.() !== 0 || !runs('apt-get', ['--version'])) return false
  return runs('apt-get', ['update', '-qq'], 'inherit') && runs('apt-get', ['install', '-y', '-qq', ...args], 'inherit')
}

function installWithBrew (name: string): boolean {
  return runs('brew', ['--version']) && runs('brew', ['install', name], 'inherit')
}

function runs (command: string, args: string[], stdio: 'ignore' | 'inherit' = 'ignore'): boolean {
  return spawnSync(command, args, { stdio }).status === 0
}
