import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'

const MIN_FAULTS = 150
/** A file with tests, and the names of those that are meant. */
const TESTS = /(test\/[\w/.-]+\.ts)((?:: `[^`]+`(?:, `[^`]+`)*)?)/g
const NAME = /\bt\.test\(\s*(['"`])((?:\\.|(?!\1).)*)\1/g
/** What is filled in when the test runs; the table writes it out, or `…`. */
const FILLED_IN = /\$\{[^}]*\}+/g
/** The backend or the kind for which the test runs, which the table leaves out. */
const RUN_FOR = /^\$\{[^}]*\}: |[,:] \$\{[^}]*\}$/

function escaped (text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** The names of all tests of a file, as the table may write them. */
function namesIn (source: string): RegExp[] {
  return [...source.matchAll(NAME)].flatMap(match => {
    const name = match[2]!.replace(/\\(.)/g, '$1')
    return [name, name.replace(RUN_FOR, '')].map(each =>
      new RegExp(`^${each.split(FILLED_IN).map(escaped).join('.+')}$`))
  })
}

t.test('every fault in docs/faults.md names tests that exist', async t => {
  const text = await readFile(join(ROOT, 'docs/faults.md'), 'utf8')
  const rows = text.split('\n').filter(line => line.startsWith('| ') && !line.startsWith('| input'))
  t.ok(rows.length >= MIN_FAULTS, `${rows.length} faults`)
  for (const [, file = '', list = ''] of text.matchAll(TESTS)) {
    const names = namesIn(await readFile(join(ROOT, file), 'utf8'))
    for (const [, name = ''] of list.matchAll(/`([^`]+)`/g)) {
      t.ok(names.some(pattern => pattern.test(name)), `${file}: ${name}`)
    }
  }
})
