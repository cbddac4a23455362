import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'

const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8')

t.test('the version is the same in the package, its lock, the OpenAPI document and the changelog', async t => {
  const { version } = JSON.parse(await read('package.json')) as { version: string }
  const lock = JSON.parse(await read('package-lock.json')) as { version: string, packages: { '': { version: string } } }
  t.same([lock.version, lock.packages[''].version], [version, version])
  t.equal((JSON.parse(await read('openapi.json')) as { info: { version: string } }).info.version, version)
  const [, latest] = /^## (?!\[Unreleased\])\[?(\d[^\]\s]*)/m.exec(await read('CHANGELOG.md'))!
  t.equal(latest, version)
})
