import fc from 'fast-check'
import t from 'tap'
import { Redactor } from '../../../../lib/policy/redaction/redactor.js'

const RUNS = { numRuns: 500 }
const all = new Redactor({ fields: ['password'], patterns: ['email', 'bearer-token', 'card-number'], urlQueries: true })

/** Words without anything that could be taken for a secret. */
const words = fc.array(
  fc.stringMatching(/^[a-z]{1,10}$/).filter(word => word !== 'bearer' && word !== 'password'), { maxLength: 8 }
).map(list => list.join(' '))
const punctuation = fc.constantFrom(' ', ', ', ' "', ' <', '=', ': ', '(', '\n')

function checkDigit (digits: string): string {
  for (let digit = 0; digit < 10; digit++) {
    const sum = [...`${digits}${digit}`].reverse().reduce((total, character, i) => {
      const value = Number(character) * (i % 2 === 0 ? 1 : 2)
      return total + (value > 9 ? value - 9 : value)
    }, 0)
    if (sum % 10 === 0) return String(digit)
  }
  throw new Error('no digit fits')
}

const brands = fc.constantFrom(
  { prefix: '4', length: 16 },
  { prefix: '4', length: 13 },
  { prefix: '4', length: 19 },
  { prefix: '55', length: 16 },
  { prefix: '2221', length: 16 },
  { prefix: '37', length: 15 },
  { prefix: '36', length: 14 },
  { prefix: '6011', length: 16 },
  { prefix: '81', length: 16 }
)
const card = fc.record({
  brand: brands, digits: fc.stringMatching(/^\d{18}$/), separator: fc.constantFrom('', ' ', '-', '.', '\u00a0', '+')
}).map(({ brand, digits, separator }) => {
  const body = (brand.prefix + digits).slice(0, brand.length - 1)
  const number = body + checkDigit(body)
  return separator === '' ? number : number.match(/.{1,4}/g)!.join(separator)
})
const base64url = fc.stringMatching(/^[A-Za-z0-9_-]{20,60}$/)
const jwt = fc.tuple(base64url, base64url, base64url).map(parts => `eyJ${parts.join('.')}`)
const bearer = fc.stringMatching(/^[A-Za-z0-9._~+/-]{20,60}={0,2}$/)

/** A secret, and a text that holds it. */
const secrets = {
  'e-mail address': fc.emailAddress().map(secret => ({ secret, shown: secret })),
  'e-mail address in a URL': fc.emailAddress().map(
    email => ({ secret: email.replace('@', '%40'), shown: email.replace('@', '%40') })
  ),
  'card number': card.map(secret => ({ secret, shown: secret })),
  JWT: jwt.map(secret => ({ secret, shown: secret })),
  'bearer token': bearer.map(secret => ({ secret, shown: `Bearer ${secret}` })),
  password: fc.tuple(
    fc.stringMatching(/^[A-Z0-9]{6,20}$/),
    fc.constantFrom(
      'password=',
      'password[]=',
      'password:\n',
      '<password>',
      'password\u00a0=\u00a0',
      'p\\u0061ssword=',
      'password%3D'
    )
  )
    .map(([secret, head]) => ({ secret, shown: head + secret }))
}

for (const [name, arbitrary] of Object.entries(secrets)) {
  t.test(`no ${name} survives in text`, async () => {
    fc.assert(fc.property(words, punctuation, arbitrary, words, (before, mark, { secret, shown }, after) => {
      return !all.message(`${before}${mark}${shown} ${after}`).includes(secret)
    }), RUNS)
  })

  t.test(`no ${name} survives in JSON, or in JSON in JSON`, async () => {
    fc.assert(fc.property(words, arbitrary, fc.integer({ min: 0, max: 3 }), (before, { secret, shown }, depth) => {
      let message = JSON.stringify({ list: [{ text: `${before} ${shown}` }] })
      for (let i = 0; i < depth; i++) message = JSON.stringify({ body: message })
      const redacted = all.message(message)
      JSON.parse(redacted)
      return !redacted.includes(secret)
    }), RUNS)
  })
}

t.test('text without secrets is not changed', async () => {
  const plain = fc.array(fc.oneof(words, fc.constantFrom(
    '1795330800123', '2026-11-22T12:00:00.123Z', '127.0.0.1:8080', 'https://shop.example/a/b',
    '5f3c2f0e-6c8e-4a44-9d2c-0b1f7f2f7f10', '50%', 'a=b', '@types/node@20.19.43', 'Why?', '#12', '0.8123456789012345'
  )), { maxLength: 10 }).map(list => list.join(' '))
  fc.assert(
    fc.property(plain, text =>
      all.message(text) === text && all.message(JSON.stringify({ text })) === JSON.stringify({ text })),
    RUNS
  )
})

t.test('JSON without secrets keeps its bytes', async () => {
  const urlQueriesApart = new Redactor({ fields: ['password'], patterns: ['bearer-token'] })
  fc.assert(fc.property(fc.json(), json => urlQueriesApart.message(json) === json), RUNS)
})
