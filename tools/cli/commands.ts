import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import { ROOT } from '../shared/root.js'
import type { Command } from './command.js'
import { printableLines } from './printable.js'
import { ArgumentError, UsageError } from './usage-error.js'

const PROGRAM = 'cloudwatch-postman'
const FAILED = 1
/** What was typed is wrong. */
const TYPED_WRONG = 2

/** Every sub-command, in the order in which they are listed; a module is loaded when its command runs. */
const COMMANDS: Record<string, () => Promise<{ command: Command }>> = {
  start: () => import('./start.js'),
  worker: () => import('./worker.js'),
  demo: () => import('./demo.js'),
  doctor: () => import('./doctor.js'),
  'iam-policy': () => import('./iam-policy.js'),
  'client-token': () => import('./client-token.js'),
  'dead-letters': () => import('./dead-letters.js'),
  meter: () => import('./meter.js'),
  simulate: () => import('./simulate.js'),
  openapi: () => import('./openapi.js')
}
export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS)

/** Where lines are printed: the console, or what a test reads. */
export type Output = Pick<Console, 'log' | 'error'>

/** @throws ArgumentError */
async function load (name: string): Promise<Command> {
  if (!Object.hasOwn(COMMANDS, name)) throw new ArgumentError(`Unknown command '${name}'`)
  return (await COMMANDS[name]!()).command
}

async function usage (): Promise<string> {
  const commands = await Promise.all(COMMAND_NAMES.map(load))
  const width = Math.max(...COMMAND_NAMES.map(({ length }) => length))
  return `Usage: ${PROGRAM} COMMAND [options]

A telemetry gateway between browsers and Amazon CloudWatch.

${commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')}

${PROGRAM} COMMAND --help explains a command; ${PROGRAM} --version prints the version.

Example
  npx ${PROGRAM} demo --once`
}

/** What follows "--" is for another program. */
function asksForHelp (args: string[]): boolean {
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args
  return own.some(argument => argument === '--help' || argument === '-h')
}

function version (): string {
  return (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version
}

/**
 * Runs the command that the arguments name. A fault of what was typed or configured is said in its message alone.
 * @returns the exit code; undefined: that of the process, which may go on
 */
export async function runCommandLine (args: string[], output: Output = console): Promise<number | undefined> {
  const [name, ...rest] = args
  const tell = (text: string): undefined => { output.log(text) }
  try {
    if (name === undefined) {
      output.error(await usage())
      return FAILED
    }
    if (name === '--help' || name === '-h' || name === 'help') return tell(await usage())
    if (name === '--version' || name === '-v') return tell(version())
    const command = await load(name)
    if (asksForHelp(rest)) return tell(command.usage)
    const exitCode = await command.run(rest)
    return typeof exitCode === 'number' ? exitCode : undefined
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ConfigurationError)) throw error
    const program = COMMAND_NAMES.includes(name!) ? `${PROGRAM} ${name}` : PROGRAM
    output.error(printableLines(error.message) + (error instanceof ArgumentError ? `: see ${program} --help` : ''))
    return error instanceof ArgumentError ? TYPED_WRONG : FAILED
  }
}
