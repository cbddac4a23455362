import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'
import { API_ERRORS } from '../../lib/http/api-error.js'
import { ConfigSchema } from '../../schemas/config.js'

const read = (file: string) => readFile(join(ROOT, file), 'utf8')

t.test('every configuration variable is in the README, with its default, and in .env.example', async t => {
  const [readme, example] = await Promise.all([read('README.md'), read('.env.example')])
  for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
    const { default: value } = schema as { default?: unknown }
    const shown = value === undefined ? '' : ` \`${String(value)}\``
    const row = readme.split('\n').find(line => line.startsWith(`| \`${name}\` |`))
    t.ok(row, `${name} in the README`)
    if (value !== undefined) t.ok(row?.includes(`|${shown} |`), `${name} with its default`)
    t.match(example, new RegExp(`^${name}=`, 'm'), `${name} in .env.example`)
  }
})

t.test('every error code is in the table of the README, with its status', async t => {
  const readme = await read('README.md')
  for (const { code, statusCode } of Object.values(API_ERRORS)) t.match(readme, new RegExp(`^\\| ${code} \\| ${statusCode} \\|`, 'm'), String(code))
})
