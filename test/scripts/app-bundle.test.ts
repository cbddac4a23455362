import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { bundleApp } from '../../scripts/app-bundle.js'
import { ROOT } from '../../scripts/processes.js'

const IMPORT = /^\s*(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"|^\s*import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm

async function files (folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}

const outdir = await mkdtemp(join(tmpdir(), 'postman-bundle-'))
t.teardown(() => rm(outdir, { recursive: true, force: true }))
const STALE = join(outdir, 'chunks', 'chunk-OF-AN-EARLIER-BUILD.js')
await mkdir(join(outdir, 'chunks'))
await writeFile(STALE, '')
await bundleApp(outdir)

t.test('each plugin, route and thread has the file that is opened by its name', async t => {
  for (const folder of ['plugins', 'routes', 'threads']) {
    const sources = (await files(join(ROOT, folder))).map(file => file.slice(join(ROOT, folder).length).replace(/\.ts$/, '.js'))
    t.same((await files(join(outdir, folder))).map(file => file.slice(join(outdir, folder).length)).sort(), sources.sort())
  }
})

t.test('the modules of the gateway and of TypeBox are in the bundles, the packages are not', async t => {
  const written = await files(outdir)
  const imported = new Set<string>()
  for (const file of written) {
    for (const [, ...names] of (await readFile(file, 'utf8')).matchAll(IMPORT)) imported.add(names.find(name => name !== undefined)!)
  }
  for (const name of imported) t.notMatch(name, /^\.\.?\/.*(?:lib|schemas)\/|typebox/)
  t.ok(imported.has('lmdb') && imported.has('ioredis'))
  t.ok(written.length < 70, `${written.length} files`)
})

t.test('a thread does not load what only the app needs', async t => {
  for (const file of await files(join(outdir, 'threads'))) {
    const imported = [...(await readFile(file, 'utf8')).matchAll(IMPORT)].map(([, ...names]) => names.find(name => name !== undefined)!)
    t.ok(imported.length > 0)
    t.notOk(imported.some(name => name.startsWith('.')), imported.join())
  }
})

t.test('what an earlier build left is removed', async t => {
  t.notOk((await files(outdir)).includes(STALE))
})
