import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ConfigSchema } from '../../../schemas/config.js'
import { configurationTable, withConfigurationTable } from '../../../tools/build/configuration-table.js'
import { ROOT } from '../../../tools/shared/root.js'

const read = (file: string) => readFile(join(ROOT, file), 'utf8')
/** Set to what a deployment wants, where the default is for development. */
const NOT_THE_DEFAULT = ['NODE_ENV']

t.test('docs/configuration.md has the table of this source: npm run docs writes it', async t => {
  const page = await read('docs/configuration.md')
  t.equal(page, withConfigurationTable(page, ConfigSchema))
})

t.test('.env.example names every variable, with its default or empty', async t => {
  const example = await read('.env.example')
  for (const [name, { default: value = '' }] of Object.entries<{ default?: unknown }>(ConfigSchema.properties)) {
    const [, given] = new RegExp(`^${name}=(.*)$`, 'm').exec(example) ?? []
    t.not(given, undefined, name)
    if (!NOT_THE_DEFAULT.includes(name)) t.equal(given, String(value), name)
  }
})

t.test('a row shows the default, or that the variable is required, and keeps Markdown out of the description', async t => {
  const table = configurationTable({
    properties: {
      A: { default: 0, description: 'a number' },
      B: { description: 'one of a|b' },
      C: { description: '* or `c`: the rest becomes __other__' }
    },
    required: ['A', 'B']
  })
  t.same(table.split('\n').slice(2), [
    '| `A` | `0` | a number |',
    '| `B` | *required* | one of a\\|b |',
    '| `C` | | \\* or `c`: the rest becomes `__other__` |'
  ])
})

t.test('a page keeps what stands around its table, and a page without a place for it is told', async t => {
  const schema = { properties: { A: { description: 'a' } } }
  const page = withConfigurationTable('before\n<!-- begin variables -->\nold\n<!-- end variables -->\nafter\n', schema)
  t.equal(
    page,
    'before\n<!-- begin variables -->\n\n| variable | default | must be |\n|---|---|---|\n| `A` | | a |\n\n<!-- end ' +
      'variables -->\nafter\n'
  )
  t.equal(withConfigurationTable(page, schema), page)
  t.throws(() => withConfigurationTable('# Nothing\n', schema), /begin variables/)
})
