import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { ROOT } from './processes.js'

/** The oldest Node that what is built runs on. */
export const OLDEST_NODE = 'node20'
/** As deep as plugins/ and routes/, so that a URL relative to the module holds wherever the module ends up. */
const CHUNKS = 'chunks'
/** Packages of hundreds of small ES modules; the others stay where npm put them. */
const GATHERED = ['@sinclair/typebox']

function isPackage (id: string): boolean {
  return /^[^./]/.test(id) && !GATHERED.some(name => id === name || id.startsWith(`${name}/`))
}

/** The modules of these folders, by the name that what is built of them has. */
async function modulesIn (...folders: string[]): Promise<Record<string, string>> {
  const files = await Promise.all(folders.map(async folder => (await readdir(join(ROOT, folder), { recursive: true })).map(file => join(folder, file))))
  return Object.fromEntries(files.flat().filter(file => file.endsWith('.ts')).map(file => [file.replace(/\.ts$/, ''), join(ROOT, file)]))
}

/** Writes each module, with what two of them share in one file. */
async function bundle (input: Record<string, string>, outdir: string): Promise<void> {
  const modules = await rolldown({
    cwd: ROOT,
    input,
    external: isPackage,
    platform: 'node',
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    transform: { target: OLDEST_NODE }
  })
  await modules.write({
    dir: outdir,
    entryFileNames: '[name].js',
    chunkFileNames: `${CHUNKS}/[name]-[hash].js`,
    codeSplitting: { groups: [{ name: 'shared', minShareCount: 2 }] }
  })
  await modules.close()
}

/**
 * Writes app.js, plugins, routes and threads, so that a start does not open each of some 400 small modules. Threads
 * share nothing with the app: they would load and keep all of it. Chunks of an earlier build are removed.
 */
export async function bundleApp (outdir: string): Promise<void> {
  await rm(join(outdir, CHUNKS), { recursive: true, force: true })
  // what `fastify start` and autoload open by name
  await bundle({ app: join(ROOT, 'app.ts'), ...await modulesIn('plugins', 'routes') }, outdir)
  await bundle(await modulesIn('threads'), outdir)
}
