import { readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { ROOT } from './processes.js'

/** The oldest Node that the gateway runs on. */
const TARGET = 'node20'
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
 * Writes app.js, plugins, routes and threads with what they share in few files: a start opens some hundred modules
 * less. What was there of an earlier build and is not of this one is removed.
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
    target: TARGET,
    mainFields: ['module', 'main'],
    logLevel: 'error',
    metafile: true
  })
  const written = new Set(Object.keys(metafile.outputs).map(file => basename(file)))
  const chunks = join(outdir, CHUNKS)
  await Promise.all((await readdir(chunks)).filter(file => !written.has(file)).map(file => rm(join(chunks, file))))
}
