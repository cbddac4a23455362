/** The base of the image: a stand-in for Node's own, for machines that no registry of images is reached from. */
import { createHash } from 'node:crypto'
import {
  chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../shared/root.js'
import { buildah, CACHE, inspectImage, output } from './engine.js'

const SUITE = 'bookworm'
/** What Node and a shell of the Dockerfile need; unpacked, and not configured. */
const PACKAGES = ['base-files', 'coreutils', 'dash', 'gzip', 'libstdc++6', 'tar', 'tini']
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const USERS = 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n'
const GROUPS = 'root:x:0:\nnode:x:1000:\n'
/** Where CI has the reference Node, too. */
const NODE_FOLDER = join(ROOT, '.node24')
/** To be raised when the steps below change. */
const REVISION = 1
const WORLD_WRITABLE = 0o1777

/** The path of a Node 24 that needs no library but those of the packages. */
async function installNode (): Promise<string> {
  const node = join(NODE_FOLDER, 'node_modules/node/bin/node')
  if (!existsSync(node)) {
    await output('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--prefix', NODE_FOLDER, 'node@24'])
  }
  return node
}

/** Debian's packages, npm's Node and this machine's npm. */
async function unpackBase (folder: string, node: string): Promise<void> {
  await output('mmdebstrap', ['--variant=extract', `--include=${PACKAGES.join(',')}`, SUITE, folder])
  const local = join(folder, 'usr/local')
  mkdirSync(join(local, 'bin'), { recursive: true })
  copyFileSync(node, join(local, 'bin/node'))
  chmodSync(join(local, 'bin/node'), 0o755)
  const npm = join(await output('npm', ['root', '--global']), 'npm')
  cpSync(npm, join(local, 'lib/node_modules/npm'), { recursive: true })
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm'))
  writeFileSync(join(folder, 'etc/passwd'), USERS)
  writeFileSync(join(folder, 'etc/group'), GROUPS)
  if (!existsSync(join(folder, 'bin/sh'))) symlinkSync('dash', join(folder, 'bin/sh'))
  rmSync(join(folder, 'dev'), { recursive: true, force: true })
  for (const name of ['dev', 'home/node', 'proc', 'root', 'tmp']) mkdirSync(join(folder, name), { recursive: true })
  chmodSync(join(folder, 'tmp'), WORLD_WRITABLE)
}

/** @returns the name of the image, which is made once */
export async function ensureBase (): Promise<string> {
  const node = await installNode()
  const parts = [SUITE, PACKAGES, USERS, GROUPS, REVISION, await output(node, ['--version'])]
  const name = `localhost/node:${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12)}`
  if (await inspectImage(name) !== null) return name
  mkdirSync(CACHE, { recursive: true })
  const folder = mkdtempSync(join(CACHE, 'base-'))
  try {
    chmodSync(folder, 0o755)
    await unpackBase(folder, node)
    const container = await buildah('from', 'scratch')
    await buildah('add', '--quiet', container, folder, '/')
    await buildah('config', '--env', `PATH=${PATH}`, '--cmd', 'node', container)
    await buildah('commit', '--quiet', '--rm', container, name)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return name
}
