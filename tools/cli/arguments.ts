import { parseArgs, type ParseArgsConfig } from 'node:util'
import { ArgumentError } from './usage-error.js'

/** The codes of parseArgs for what somebody has typed. */
const TYPED_WRONG = 'ERR_PARSE_ARGS_'
/** What follows the first sentence of its messages says how to escape arguments. */
const END_OF_SENTENCE = /\.?\n|\. |\.$/

/**
 * The arguments of a command, as `parseArgs` of node:util reads them.
 * @throws ArgumentError for an unknown option, one without its value, and an argument that the command does not take
 */
export function parseArguments<T extends ParseArgsConfig & { args: string[] }> (
  config: T
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (!code.startsWith(TYPED_WRONG)) throw error
    throw new ArgumentError(message.split(END_OF_SENTENCE)[0])
  }
}
