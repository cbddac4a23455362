import t, { type Test } from 'tap'
import { createRedactor, type RedactionSettings } from '../../../../lib/policy/redaction/redactor.js'

function check (
  t: Test, settings: RedactionSettings, cases: ReadonlyArray<readonly [message: string, expected: string]>
): void {
  const redactor = createRedactor(settings)!
  for (const [message, expected] of cases) {
    t.equal(redactor.message(message), expected, message)
    t.equal(redactor.message(expected), expected, 'what is redacted stays as it is')
  }
}

t.test('without settings there is no redactor', async t => {
  t.equal(createRedactor({}), null)
  t.equal(createRedactor({ fields: [], patterns: [], urlQueries: false }), null)
})

t.test('fields of JSON, at any depth, in any case', async t => {
  check(t, { fields: ['password', 'Api-Key'] }, [
    ['{"user":"bob","password":"x"}', '{"user":"bob","password":"[redacted]"}'],
    ['{"a":[{"PassWord":{"old":"x","new":["y"]}}],"n":1.0}', '{"a":[{"PassWord":"[redacted]"}],"n":1.0}'],
    ['{"api-key":42,"password":null}', '{"api-key":"[redacted]","password":"[redacted]"}'],
    ['{"user.password":"x"}', '{"user.password":"[redacted]"}'],
    ['{"p\\u0061ssword":"x","password":"y"}', '{"p\\u0061ssword":"[redacted]","password":"[redacted]"}'],
    ['{"body":"{\\"password\\":\\"x\\",\\"n\\":1}"}', '{"body":"{\\"password\\":\\"[redacted]\\",\\"n\\":1}"}'],
    ['{"message":"login with password=hunter2 failed"}', '{"message":"login with password=[redacted] failed"}'],
    [
      '{"passwords":"kept","password_hint":"kept","note":"password"}',
      '{"passwords":"kept","password_hint":"kept","note":"password"}'
    ]
  ])
})

t.test('fields of text', async t => {
  check(t, { fields: ['password', 'authorization', 'apiKey'] }, [
    ['login password=hunter2 failed', 'login password=[redacted] failed'],
    ['login, PASSWORD: hunter2, user: bob', 'login, PASSWORD: [redacted], user: bob'],
    ['password = "two words" user=bob', 'password = "[redacted]" user=bob'],
    ["{ password: 'x', user: 'bob' }", "{ password: '[redacted]', user: 'bob' }"],
    ['sent {"password":"a\\"b","n":1}', 'sent {"password":"[redacted]","n":1}'],
    ['sent "{\\"password\\":\\"a\\\\\\"b\\",\\"n\\":1}"', 'sent "{\\"password\\":\\"[redacted]\\",\\"n\\":1}"'],
    ['sent {"password":{"a":"}"},"n":[1]}', 'sent {"password":[redacted],"n":[1]}'],
    ['truncated {"password":"hunt', 'truncated {"password":"[redacted]'],
    ['Authorization: Basic Ym9iOng= end', 'Authorization: [redacted] end'],
    ['GET /x?a=1&apiKey=abc&b=2', 'GET /x?a=1&apiKey=[redacted]&b=2'],
    ['form[password]=x y', 'form[password]=[redacted] y'],
    ["password=it's-me next", 'password=[redacted] next'],
    ['user.password => x', 'user.password => [redacted]'],
    ['forgot password? the password was wrong', 'forgot password? the password was wrong'],
    ['my-passwords=1 xpassword=2', 'my-passwords=1 xpassword=2']
  ])
})

t.test('fields of text, however they are written', async t => {
  check(t, { fields: ['password', 'authorization'] }, [
    ['run --password=x --password y .password: z', 'run --password=[redacted] --password y .password: [redacted]'],
    ['a=1&password[]=x&password[0]=y&b=2', 'a=1&password[]=[redacted]&password[0]=[redacted]&b=2'],
    ['user[password][new]=x&user[name]=bob', 'user[password][new]=[redacted]&user[name]=bob'],
    ['password%5B%5D=x&n=1', 'password%5B%5D=[redacted]&n=1'],
    ['next=%2Flogin%3Fpassword%3Dhunter2%26n%3D1 end', 'next=%2Flogin%3Fpassword%3D[redacted]%26n%3D1 end'],
    ['p%61ssword=hunter2&n=1', 'p%61ssword=[redacted]&n=1'],
    ['password:\nhunter2\nuser: bob', 'password:\n[redacted]\nuser: bob'],
    ['password:\r\n  "two words"\r\nend', 'password:\r\n  "[redacted]"\r\nend'],
    ['the password:\n\nA paragraph', 'the password:\n\nA paragraph'],
    ['password\u00a0=\u00a0hunter2 end', 'password\u00a0=\u00a0[redacted] end'],
    ['password\u3000:\u2009hunter2\u00a0end', 'password\u3000:\u2009[redacted]\u00a0end'],
    ['Authorization:\u00a0Basic\u00a0Ym9iOng= end', 'Authorization:\u00a0[redacted] end'],
    ['<password>hunter2</password>', '<password>[redacted]</password>'],
    [
      '<user><Password enc="none">two words</Password><name>bob</name></user>',
      '<user><Password enc="none">[redacted]</Password><name>bob</name></user>'
    ],
    ['<wsse:Password>hunter2</wsse:Password>', '<wsse:Password>[redacted]</wsse:Password>'],
    ['<password><![CDATA[a<b]]></password> end', '<password>[redacted]</password> end'],
    ['<password><old>x</old><new a="b"/><new>y</new></password><n>1</n>', '<password>[redacted]</password><n>1</n>'],
    ['<password>hunter2 and no more tags', '<password>[redacted] and no more tags'],
    ['<password></password><password/> end', '<password></password><password/> end'],
    ['<user password="hunter2">', '<user password="[redacted]">'],
    ['bad {"pass\\u0077ord":"hunter2","n":1', 'bad {"pass\\u0077ord":"[redacted]","n":1'],
    ['bad "{\\"\\\\u0070assword\\":\\"hunter2\\"}"', 'bad "{\\"\\\\u0070assword\\":\\"[redacted]\\"}"'],
    ["bad {'pass\\x77ord': 'hunter2'}", "bad {'pass\\x77ord': '[redacted]'}"],
    ['passwords[]=1 <passwords>2</passwords> 50%password', 'passwords[]=1 <passwords>2</passwords> 50%password']
  ])
})

t.test('fields of JSON that a form has named', async t => {
  check(t, { fields: ['password'] }, [
    [
      '{"password[]":"x","user[password]":"y","password[0]":{"a":1},"passwords[]":1}',
      '{"password[]":"[redacted]","user[password]":"[redacted]","password[0]":"[redacted]","passwords[]":1}'
    ]
  ])
})

t.test('e-mail addresses', async t => {
  check(t, { patterns: ['email'] }, [
    ['mail bob@example.com.', 'mail [redacted].'],
    ['"Bob" <bob.o\'neill+tag@mail.example.co.uk>, done', '"Bob" <[redacted]>, done'],
    ['{"to":["bob@example.com"],"bob@example.com":1}', '{"to":["[redacted]"],"[redacted]":1}'],
    ['{"a":"bob@example.com","a":"clean"}', '{"a":"[redacted]","a":"clean"}'],
    ['{"a":"bob\\u0040example.com"}', '{"a":"[redacted]"}'],
    ['/u?email=bob%40example.com&x=1', '/u?email=[redacted]&x=1'],
    ['jörg@bücher.example и почта@пример.рф', '[redacted] и [redacted]'],
    ['a@b@example.com', 'a@[redacted]'],
    ['react@18.3.0 @fastify/cors foo@localhost @ a@b', 'react@18.3.0 @fastify/cors foo@localhost @ a@b']
  ])
})

t.test('bearer tokens and JWTs', async t => {
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkZWZhdWx0In0.c2lnbmF0dXJl'
  check(t, { patterns: ['bearer-token'] }, [
    ['Authorization: Bearer 0a1b2c3d4e5f', 'Authorization: Bearer [redacted]'],
    ['bearer%20abcDEF123456 x', 'bearer%20[redacted] x'],
    [`token ${jwt}, and "${jwt}"`, 'token [redacted], and "[redacted]"'],
    [`?accessToken=${jwt}&a=1`, '?accessToken=[redacted]&a=1'],
    ['unsigned eyJhbGciOiJub25lIn0.e30.', 'unsigned [redacted]'],
    ['{"h":{"authorization":"Bearer abcdefghijklmnopqrst"}}', '{"h":{"authorization":"Bearer [redacted]"}}'],
    ['Authorization: Bearer\u00a00a1b2c3d4e5f', 'Authorization: Bearer\u00a0[redacted]'],
    ['Bearer\n0a1b2c3d4e5f', 'Bearer\n[redacted]'],
    [
      'bearer of bad news, bearer certificate, forbearer 12345678, eyJ, eyJhbGci.x',
      'bearer of bad news, bearer certificate, forbearer 12345678, eyJ, eyJhbGci.x'
    ]
  ])
})

t.test('card numbers', async t => {
  check(t, { patterns: ['card-number'] }, [
    ['card 4111111111111111, amex 378282246310005', 'card [redacted], amex [redacted]'],
    ['4111 1111 1111 1111 / 4111-1111-1111-1111', '[redacted] / [redacted]'],
    ['3782 822463 10005', '[redacted]'],
    [
      '4111.1111.1111.1111, 4111\u00a01111\u00a01111\u00a01111, 4111+1111+1111+1111',
      '[redacted], [redacted], [redacted]'
    ],
    [
      '4111\u20111111\u20111111\u20111111 4111\u202f1111\u202f1111\u202f1111 4111_1111_1111_1111',
      '[redacted] [redacted] [redacted]'
    ],
    ['card=4111%201111%201111%201111&n=1', 'card=[redacted]&n=1'],
    ['3782.822463.10005', '[redacted]'],
    ['{"a":"4111\\u00a01111\\u00a01111\\u00a01111"', '{"a":"[redacted]"'],
    ['order 1234 4111 1111 1111 1111 5', 'order 1234 [redacted] 5'],
    ['{"card":4111111111111111,"n":4111111111111112}', '{"card":"[redacted]","n":4111111111111112}'],
    [
      '4111111111111112 0.4111111111111111 41111111111111111111111111111111 5000.4111.11 2026.1111.1111.1111',
      '4111111111111112 0.4111111111111111 41111111111111111111111111111111 5000.4111.11 2026.1111.1111.1111'
    ],
    // Unix times with the right check digit.
    ['1795330800000 1795330800000003 1795330800000000004', '1795330800000 1795330800000003 1795330800000000004']
  ])
})

t.test('query strings and fragments of URLs', async t => {
  check(t, { urlQueries: true }, [
    ['GET https://shop.example/a?token=x#top 200', 'GET https://shop.example/a 200'],
    ['(see https://shop.example/a?b=c).', '(see https://shop.example/a).'],
    ['"/checkout?email=x" and /#/orders/7?y', '"/checkout" and /'],
    ['url=https://shop.example/?q=it\'s+me,you', 'url=https://shop.example/'],
    ['{"url":"https:\\/\\/shop.example\\/a?b=c","n":1}', '{"url":"https://shop.example/a","n":1}'],
    ['cut {"url":"https:\\/\\/shop.example\\/a?b=c\\u0026d","n":1', 'cut {"url":"https:\\/\\/shop.example\\/a","n":1'],
    ['shop.example/a?b=c', 'shop.example/a'],
    [
      'and/or? https://shop.example/a? why? owner/repo#12 C# #1',
      'and/or? https://shop.example/a? why? owner/repo#12 C# #1'
    ]
  ])
})

t.test('the value of a named field is redacted whole', async t => {
  const redactor = createRedactor({ fields: ['User'], urlQueries: true })!
  t.equal(redactor.value('user', 'bob'), '[redacted]')
  t.equal(redactor.value('Page', '/a?b=c'), '/a')
})
