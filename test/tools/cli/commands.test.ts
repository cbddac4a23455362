import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { COMMAND_NAMES, runCommandLine } from '../../../tools/cli/commands.js'
import { BUILD, ROOT } from '../../../tools/shared/root.js'

/** Runs a command line in this process. */
async function run (...args: string[]) {
  const [stdout, stderr]: [string[], string[]] = [[], []]
  const code = await runCommandLine(args, { log: text => stdout.push(text), error: text => stderr.push(text) })
  return { code, stdout: stdout.join('\n'), stderr: stderr.join('\n') }
}

t.test('each command is listed, and explains itself with an example', async t => {
  const { stdout: list } = await run('--help')
  for (const name of COMMAND_NAMES) {
    t.match(list, new RegExp(`^  ${name} +\\S`, 'm'), `${name} is listed`)
    for (const help of ['--help', '-h']) {
      const { code, stdout, stderr } = await run(name, help)
      t.equal(code, undefined)
      t.ok(stdout.startsWith(`Usage: cloudwatch-postman ${name}`), name)
      t.match(stdout, /^Example\n(?: {2}.*\n)* {2}.*cloudwatch-postman/m, `${name} has an example`)
      t.equal(stderr, '')
    }
  }
})

t.test('an unknown option is answered in one line that says where the options are', async t => {
  for (const name of COMMAND_NAMES) {
    t.strictSame(await run(name, '--nonsense'), {
      code: 2, stdout: '', stderr: `Unknown option '--nonsense': see cloudwatch-postman ${name} --help`
    })
  }
})

t.test('so are an option without its value, an argument too many, and an unknown command', async t => {
  const fault = async (...args: string[]): Promise<string> => (await run(...args)).stderr
  const help = (name: string): string => `see cloudwatch-postman ${name} --help`
  t.equal(await fault('start', '--port'), `Option '--port <value>' argument missing: ${help('start')}`)
  t.equal(await fault('worker', 'now'), "Unexpected argument 'now': see cloudwatch-postman worker --help")
  t.equal(await fault('demo', '--once=yes'), `Option '--once' does not take an argument: ${help('demo')}`)
  t.match(await fault('dead-letters'), /^Say what to do: list, .*: see cloudwatch-postman dead-letters --help$/)
  t.match(await fault('meter', '--reason', 'refused'), new RegExp(`^--reason goes with --queue.*: ${help('meter')}$`))
  t.equal(await fault('simulate'), 'Give --logs RATE or --metrics RATE: see cloudwatch-postman simulate --help')
  for (const name of ['stop', 'constructor', '__proto__', '']) {
    t.equal(await fault(name), `Unknown command '${name}': see cloudwatch-postman --help`)
  }
})

t.test('without a command the commands are listed, as a fault', async t => {
  const { code, stdout, stderr } = await run()
  t.equal(code, 1)
  t.equal(stdout, '')
  t.match(stderr, /^Usage: cloudwatch-postman COMMAND/)
})

t.test('the program ends with the exit code of its command, and shows no trace', async t => {
  const main = (...args: string[]) =>
    spawnSync(process.execPath, [join(BUILD, 'tools/cli/main.js'), ...args], { encoding: 'utf8' })
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  t.match(main('--version'), { status: 0, stdout: `${version}\n`, stderr: '' })
  t.match(main('client-token', '-x'), {
    status: 2, stdout: '', stderr: "Unknown option '-x': see cloudwatch-postman client-token --help\n"
  })
})
