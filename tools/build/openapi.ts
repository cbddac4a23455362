/** Writes openapi.json. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../shared/root.js'
import { openapiDocument } from './openapi-document.js'

const file = join(ROOT, 'openapi.json')
await writeFile(file, await openapiDocument())
console.log('openapi.json is written.')
