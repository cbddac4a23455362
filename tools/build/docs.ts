/** Writes the generated parts of the documentation. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigSchema } from '../../schemas/config.js'
import { ROOT } from '../shared/root.js'
import { withConfigurationTable } from './configuration-table.js'

const file = join(ROOT, 'docs/configuration.md')
await writeFile(file, withConfigurationTable(await readFile(file, 'utf8'), ConfigSchema))
console.log('The table of docs/configuration.md is written.')
