/** Writes openapi.json. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openapiDocument } from './openapi-document.js'

const file = join(import.meta.dirname, '../../openapi.json')
await writeFile(file, await openapiDocument())
console.log('openapi.json is written.')
