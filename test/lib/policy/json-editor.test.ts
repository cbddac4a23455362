import fc from 'fast-check'
import t from 'tap'
import { isJson, editJson, startsWithAny } from '../../../lib/policy/json-editor.js'

const SECRET = { member: (name: string) => name === 'secret' ? '0' : undefined }

t.test('what is not edited keeps its form', async t => {
  const json = ' { "a" : 1.0e2, "a":12345678901234567890,\n"b":["x\\u0041\\"", {}, [ ] , null] } '
  t.equal(editJson(json, { member: () => undefined, string: text => text, number: () => undefined }), json)
})

t.test('the value of a member is replaced whole, wherever it is', async t => {
  const cases = [
    ['{"secret":"x"}', '{"secret":0}'],
    ['{"secret":"a\\"}b"}', '{"secret":0}'],
    ['{"secret" : {"a":["}",{"b":"]"}]} ,"c":1}', '{"secret" : 0 ,"c":1}'],
    ['[{"a":{"secret":[[1],2]}},{"secret":null},{"secret":-1.5e3}]', '[{"a":{"secret":0}},{"secret":0},{"secret":0}]'],
    ['{"s\\u0065cret":true,"secret":false}', '{"s\\u0065cret":0,"secret":0}'],
    ['{"a":"secret","b":["secret"]}', '{"a":"secret","b":["secret"]}'],
    ['"secret"', '"secret"']
  ] as const
  for (const [json, expected] of cases) t.equal(editJson(json, SECRET), expected)
})

t.test('strings and numbers are edited, names of members too', async t => {
  const edit = {
    string: (text: string) => text.replace('é', '"'),
    number: (literal: string) => literal === '7' ? '"seven"' : undefined
  }
  t.equal(editJson('{"é":["\\u00e9", 7, 77, -7]}', edit), '{"\\"":["\\"", "seven", 77, -7]}')
})

t.test('members are added to an object, or get another value', async t => {
  const add = new Map([['ip', '"1"'], ['n', '2']])
  t.equal(editJson('{}', { add }), '{"ip":"1","n":2}')
  t.equal(editJson('{"a":{"ip":0}} ', { add }), '{"a":{"ip":0},"ip":"1","n":2} ')
  t.equal(editJson('{"ip":{"x":1},"b":0,"ip":3}', { add }), '{"ip":"1","b":0,"ip":"1","n":2}')
})

t.test('the result is JSON that says the same but for the edit', async t => {
  fc.assert(fc.property(fc.json(), json => {
    t.same(JSON.parse(editJson(json, { string: text => `${text}!` })), addMarks(JSON.parse(json)))
  }), { numRuns: 300 })
})

function addMarks (value: unknown): unknown {
  if (typeof value === 'string') return `${value}!`
  if (Array.isArray(value)) return value.map(addMarks)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [`${name}!`, addMarks(member)]))
}

t.test('it tells JSON from what only looks like it, of any depth', async t => {
  const deep = '['.repeat(500_000) + ']'.repeat(500_000)
  t.ok(isJson(deep))
  t.equal(editJson(deep, SECRET), deep)
  t.notOk(isJson('[2026] started'))
  t.ok(startsWithAny(' \n{', '{['))
  t.notOk(startsWithAny('', '{['))
})
