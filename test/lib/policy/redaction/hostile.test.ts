import t from 'tap'
import { Redactor } from '../../../../lib/policy/redaction/redactor.js'

const SMALL = 50_000
const LARGE = 400_000
/** The large input is 8 times the small one: what is quadratic takes 64 times as long. */
const LINEAR = 24
/** Below this the clock and the garbage collector are measured, not the input. */
const FLOOR_MS = 20

const redactor = new Redactor({
  fields: ['password', 'token'], patterns: ['email', 'bearer-token', 'card-number'], urlQueries: true
})

function repeated (part: string, length: number): string {
  return part.repeat(Math.ceil(length / part.length)).slice(0, length)
}

/** Milliseconds of the faster of two runs. */
function measure (message: string): number {
  const runs = [1, 2].map(() => {
    const startedAt = performance.now()
    redactor.message(message)
    return performance.now() - startedAt
  })
  return Math.min(...runs)
}

const HOSTILE: Record<string, (length: number) => string> = {
  ...Object.fromEntries([
    'aaaa@aaaa@', 'a@', '@', 'a', 'a.', 'a.b@', '%40', 'a%40b.c', '1', '1234 ', '1-', '4111 1111 1111 1111 ', '4', '"',
    "'", '\\', '\\"', '\\\\"', ' ', '\n',
    'password', 'password ', 'password=', 'password="', "password='", 'password={', 'password=[{', 'password\\',
    'password[', 'password[]', 'password[a]', 'password[a][b][c]', 'a[password]', 'password:\n', 'password\u00a0',
    '<password>', '<password>x', '<password ', '<password><a>', '<password><a></a>', '</password>', '<a:password>', '<',
    '<![CDATA[', '<password><![CDATA[', '\\u0070', 'p\\u0061', '\\\\', '%', '%70', 'password%5B', 'password%5B%5D',
    'password%3D', '4111.', '4111%20', '4111\u00a0', 'token:Bearer ', 'a=b&',
    '/?', '?/', '://', '/a#', "/'", 'eyJ', 'eyJ.', 'eyJaaaaaaaaaaaa.', 'bearer ', 'Bearer abcdef12 ', 'bearer"', '{',
    '[', '{"a":', '[[],', '{"password":', '\ud800', 'é', '\0'
  ].map(part => [JSON.stringify(part), (length: number) => repeated(part, length)])),
  'one long run of letters, then a sign': length => `${repeated('a', length)}@b.example`,
  'one long domain': length => `a@${repeated('b.', length)}`,
  'deeply nested arrays': length => `${repeated('[', length / 2)}${repeated(']', length / 2)}`,
  'deeply nested objects': length => `${repeated('{"a":', length / 2)}1${repeated('}', length / 10)}`,
  'a redacted field that is deeply nested': length =>
    `{"password":${repeated('[', length / 2)}${repeated(']', length / 2)}}`,
  'JSON in JSON in JSON': length => {
    let json = repeated('a@b.example ', length / 16)
    for (let i = 0; i < 4; i++) json = JSON.stringify({ json })
    return json
  },
  'many members': length => `{${repeated('"password":"x",', length)}"end":1}`,
  'a string of escapes': length => `{"a":"${repeated('\\\\', 2 * Math.floor(length / 2))}"}`
}

for (const [name, create] of Object.entries(HOSTILE)) {
  t.test(`linear: ${name}`, async t => {
    const [small, large] = [create(SMALL), create(LARGE)]
    // A pause of the machine is no growth: the worst of the cases is measured again before it counts.
    let growth = Infinity
    for (let attempt = 0; attempt < 3 && growth > LINEAR; attempt++) {
      growth = measure(large) / Math.max(FLOOR_MS, measure(small))
    }
    t.ok(growth <= LINEAR, `8 times the input took ${growth.toFixed(1)} times as long`)
  })
}

t.test('a megabyte in one run is not changed, and a megabyte of addresses is gone', async t => {
  const megabyte = 1_048_550
  for (const part of ['a', '1', '4', '[', 'é', 'aaaa@aaaa@']) {
    const text = repeated(part, megabyte)
    t.ok(redactor.message(text) === text, part)
  }
  t.notOk(redactor.message(repeated('a@b.example ', megabyte)).includes('@b.example'))
})
