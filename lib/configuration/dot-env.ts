import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigurationError } from './configuration-error.js'
import { BYTE_ORDER_MARK, decodeText, withoutByteOrderMark } from './text-encoding.js'

/** The file of variables that fastify-cli and the commands read from the directory in which they are started. */
const DOT_ENV = '.env'

/** Node reads a file in UTF-16 without an error, and finds no variable in it. @throws ConfigurationError */
export function checkDotEnv (): void {
  if (!existsSync(DOT_ENV)) return
  try {
    decodeText(readFileSync(DOT_ENV))
  } catch (error) {
    throw new ConfigurationError(`The variables in ${resolve(DOT_ENV)} cannot be read.\n  ${(error as Error).message}`)
  }
}

/** Renames the first variable of a file with a byte order mark, which Node takes for a part of the name. */
export function dropByteOrderMark (environment: Record<string, string | undefined>): void {
  for (const name of Object.keys(environment)) {
    if (name.startsWith(BYTE_ORDER_MARK)) environment[withoutByteOrderMark(name)] ??= environment[name]
  }
}
