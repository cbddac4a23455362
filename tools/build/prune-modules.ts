/**
 * `prune-modules.js FOLDER`: removes what no running program reads from the packages of a node_modules folder. For the
 * image, which has this file alone, so that it imports nothing of the project.
 */
import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Of these each package must be passed on with its licence. */
const LEGAL = /^(?:licen[cs]e|copying|copyright|notice|authors)/i
/** Types, source maps, the sources of what is compiled, and prose. */
const UNREAD_FILE =
  /(?:\.(?:map|tsx?|[cm]ts|tsbuildinfo|flow|md|markdown|c|cc|cpp|h|hpp|gypi?|ya?ml|1|jpg)|^Doxyfile)$/i
/** Folders that stand beside the package.json of a package. */
const UNREAD_FOLDER = /^(?:\..*|tests?|__tests__|specs?|examples?|bench(?:marks?)?|docs?|dist-types)$/i
/** Modules for bundlers. Node takes those for CommonJS wherever a package has both. */
const BUNDLER_FOLDER = 'dist-es'
const NODE_FOLDER = 'dist-cjs'
/** A build of a native module for one version of Node's binary interface or for each, and for one C library. */
const NATIVE_BUILD = /^node\.(?:abi(?<abi>\d+)|napi)\.(?<libc>glibc|musl)\.node$/

/** What native modules have to fit. */
export interface Runtime {
  /** As `process.versions.modules` has it. */
  abi: string
  libc: 'glibc' | 'musl'
}

/** The runtime of this process. */
function ownRuntime (): Runtime {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  return { abi: process.versions.modules, libc: header.glibcVersionRuntime === undefined ? 'musl' : 'glibc' }
}

function isUnreadFile (name: string, { abi, libc }: Runtime): boolean {
  const build = NATIVE_BUILD.exec(name)?.groups
  if (build !== undefined) return build.libc !== libc || (build.abi !== undefined && build.abi !== abi)
  return UNREAD_FILE.test(name) && !LEGAL.test(name)
}

function isUnreadFolder (name: string, packageFolder: string): boolean {
  return UNREAD_FOLDER.test(name) || (name === BUNDLER_FOLDER && existsSync(join(packageFolder, NODE_FOLDER)))
}

/** @returns the bytes of the files that were removed */
function pruneFiles (folder: string, runtime: Runtime): number {
  let removed = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) removed += pruneFiles(path, runtime)
    else if (entry.isFile() && isUnreadFile(entry.name, runtime)) {
      removed += lstatSync(path).size
      rmSync(path)
    }
  }
  return removed
}

function prunePackage (folder: string, runtime: Runtime): number {
  let removed = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const path = join(folder, entry.name)
    if (entry.name === 'node_modules') removed += pruneModules(path, runtime)
    else if (isUnreadFolder(entry.name, folder)) {
      removed += sizeOf(path)
      rmSync(path, { recursive: true })
    }
  }
  return removed + pruneFiles(folder, runtime)
}

/**
 * @param folder a node_modules folder
 * @returns the bytes that were removed
 */
export function pruneModules (folder: string, runtime: Runtime): number {
  let removed = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue
    const path = join(folder, entry.name)
    removed += entry.name.startsWith('@') ? pruneModules(path, runtime) : prunePackage(path, runtime)
  }
  return removed
}

function sizeOf (folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + lstatSync(join(parentPath, name)).size, 0)
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const folder = process.argv[2]
  if (folder === undefined) throw new Error('Usage: prune-modules.js FOLDER')
  const removed = pruneModules(folder, ownRuntime())
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
  process.stdout.write(`${megabytes(removed)} MB removed, ${megabytes(sizeOf(folder))} MB left in ${folder}\n`)
}
