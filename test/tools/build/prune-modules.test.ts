import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { pruneModules } from '../../../tools/build/prune-modules.js'

const KEPT = [
  '.package-lock.json',
  'one/LICENSE.md',
  'one/dist/docs/used.js',
  'one/index.js',
  'one/lib/test/used.js',
  'one/node_modules/inner/index.mjs',
  'one/package.json',
  'one/static/page.html',
  'one/static/page.png',
  'one/words.txt',
  '@scope/two/dist-cjs/index.js',
  '@scope/two/package.json',
  'bundled/dist-es/index.js',
  'native/node.abi137.glibc.node',
  'native/node.napi.glibc.node'
]
const REMOVED = [
  'one/README.md',
  'one/index.d.ts',
  'one/index.js.map',
  'one/lib/types.d.mts',
  'one/src/main.c',
  'one/.github/workflows/ci.yml',
  'one/docs/guide.html',
  'one/test/all.js',
  'one/node_modules/inner/tests/all.js',
  '@scope/two/dist-es/index.js',
  '@scope/two/dist-types/index.d.ts',
  'native/node.abi115.glibc.node',
  'native/node.napi.musl.node'
]

t.test('of each package stays what a program reads, and its licence', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'postman-modules-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const path of [...KEPT, ...REMOVED]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), 'text')
  }
  t.equal(pruneModules(folder, { abi: '137', libc: 'glibc' }), 4 * REMOVED.length, 'bytes')
  const left = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
  t.same(left.sort(), [...KEPT].sort())
})
