import { writeFile } from 'node:fs/promises'
import { parseArguments } from './arguments.js'
import type { Command } from './command.js'

export const command: Command = {
  name: 'openapi',
  summary: 'prints the OpenAPI document of every route that the gateway can have',
  usage: `Usage: cloudwatch-postman openapi [--out FILE]

Prints the OpenAPI 3.1 document of every route that the gateway can have, for generators of clients.

  --out FILE  writes it into a file instead

Example
  cloudwatch-postman openapi --out openapi.json && npx openapi-typescript openapi.json --output api.ts`,
  async run (args) {
    const { values: { out } } = parseArguments({ args, options: { out: { type: 'string' } } })
    const { openapiDocument } = await import('../build/openapi-document.js')
    const document = await openapiDocument()
    if (out === undefined) {
      process.stdout.write(document)
      return
    }
    await writeFile(out, document)
    console.log(`${out} is written.`)
  }
}
