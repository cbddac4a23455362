import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { commandsOf } from '../../../../tools/cli/doctor/redis-commands.js'
import { ROOT } from '../../../../tools/shared/root.js'

const SCRIPTED = /redis\.p?call\('([A-Z]+)'/g
/** In the form in which common.lua.ts hands commands on. */
const HANDED_ON = /\{'([A-Z]+)', stream\(/g
/** Of the checks of the spool itself, which do without those that are refused, and of the connection. */
const NOT_NEEDED = ['CONFIG', 'HELLO', 'SENTINEL', 'WAIT', 'WAITAOF']

t.test('every command of a script is tried', async t => {
  const tried = new Set(commandsOf('prefix').map(([name]) => name))
  const lib = join(ROOT, 'lib')
  const sources = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
  const called = new Set(sources.flatMap(file => {
    const text = readFileSync(join(lib, file), 'utf8')
    return [...text.matchAll(SCRIPTED), ...text.matchAll(HANDED_ON)].map(([, name]) => name!)
  }))
  t.ok(called.size > 20)
  t.ok(called.has('XCLAIM'))
  t.strictSame([...called].filter(name => !tried.has(name) && !NOT_NEEDED.includes(name)), [])
})

t.test('the keys are those that the documented rights are for', async t => {
  const keys = commandsOf('prefix').flatMap(command => command.filter(part => /prefix/.test(String(part))))
  for (const key of keys) t.match(key, /^\{?prefix:/)
})
