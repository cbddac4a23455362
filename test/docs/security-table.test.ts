import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'

const MIN_ATTACKS = 30
const ROW = /^\| \d+ \| (.+?) \| (.+?) \| (\S+): `(.+)` \|$/
const NAME = /\bt\.test\(\s*(['"`])((?:\\.|(?!\1).)*)\1/g

/** The names of all tests of a file, as they are reported. */
async function namesIn (file: string): Promise<Set<string>> {
  const source = await readFile(join(ROOT, file), 'utf8')
  return new Set([...source.matchAll(NAME)].map(match => match[2]!.replace(/\\(.)/g, '$1')))
}

t.test('every attack in docs/security.md names a test that exists', async t => {
  const text = await readFile(join(ROOT, 'docs/security.md'), 'utf8')
  const lines = text.split('\n').filter(line => /^\| \d/.test(line))
  t.ok(lines.length >= MIN_ATTACKS, `${lines.length} attacks`)
  t.same(lines.map(line => Number(line.split('|')[1])), lines.map((_line, index) => index + 1), 'numbered in order')
  for (const line of lines) {
    const [, , , file, name] = ROW.exec(line) ?? []
    t.ok(file !== undefined && name !== undefined && (await namesIn(file)).has(name), line)
  }
})
