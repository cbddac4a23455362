import { readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { ROOT } from './processes.js'

/** The oldest Node that what is built runs on. */
export const OLDEST_NODE = 'node20'
/** As deep as plugins/ and routes/, so that a URL relative to the module holds wherever the module ends up. */
const CHUNKS = 'chunks'
/** Packages of hundreds of small ES modules; the others stay where npm put them. */
const GATHERED = ['@sinclair/typebox']

const leavePackages: Plugin = {
  name: 'leave-packages',
  setup ({ onResolve }) {
    onResolve({ filter: /^[^.]/ }, ({ kind, path }) => {
      if (kind === 'entry-point' || GATHERED.some(name => path === name || path.startsWith(`${name}/`))) return undefined
      return { path, external: true }
    })
  }
}

/** What `fastify start` and autoload open by name. */
async function entryPoints (): Promise<string[]> {
  const folders = await Promise.all(['plugins', 'routes', 'threads'].map(async folder =>
    (await readdir(join(ROOT, folder), { recursive: true })).filter(file => file.endsWith('.ts')).map(file => join(folder, file))))
  return ['app.ts', ...folders.flat()]
}

/**
 * Writes app.js, plugins, routes and threads, with what they share in few files, so that a start does not open each of
 * some 400 small modules. Chunks of an earlier build that are not of this one are removed.
 */
export async function bundleApp (outdir: string): Promise<void> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: await entryPoints(),
    outdir,
    outbase: '.',
    bundle: true,
    splitting: true,
    chunkNames: `${CHUNKS}/[name]-[hash]`,
    plugins: [leavePackages],
    format: 'esm',
    platform: 'node',
    target: OLDEST_NODE,
    mainFields: ['module', 'main'],
    logLevel: 'error',
    metafile: true
  })
  const written = new Set(Object.keys(metafile.outputs).map(file => basename(file)))
  const chunks = join(outdir, CHUNKS)
  await Promise.all((await readdir(chunks)).filter(file => !written.has(file)).map(file => rm(join(chunks, file))))
}
