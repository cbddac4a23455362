import t from 'tap'
import { allowsOrigin, Applications, findFault, MAX_SECRETS } from '../../../lib/access/applications.js'
import { readScope, requireScope, WHOLE_APPLICATION, type Scope } from '../../../lib/access/scope.js'
import { application } from '../../helpers/applications.js'

t.test('faults that no schema finds are told with their path', async t => {
  const other = (given: object) => application({ id: 'other', clientSecrets: ['another-secret'], ...given })
  t.equal(findFault([application(), other({})]), null)
  t.match(findFault([application(), other({ id: 'shop' })]), { path: 'applications[1].id' })
  t.match(findFault([application(), other({ clientSecrets: ['x', application().clientSecrets[0]!] })]), {
    path: 'applications[1].clientSecrets[1]'
  })
  t.match(findFault([application({ dimensions: { required: ['Page', 'Region'], allowed: ['Page'] } })]), {
    path: 'applications[0].dimensions.required[1]'
  })
  const many = Array.from({ length: MAX_SECRETS + 1 }, (_, i) =>
    application({ id: `a${i}`, clientSecrets: [`secret-${i}`] }))
  t.match(findFault(many), { path: `applications[${MAX_SECRETS}].clientSecrets` })
})

t.test('origins are those of all applications, or of one', async t => {
  const shop = application({ allowedOrigins: ['https://shop.example'] })
  const applications = new Applications([shop, application({ id: 'blog', allowedOrigins: ['https://blog.example'] })])
  t.ok(applications.allowsOrigin('https://blog.example'))
  t.notOk(applications.allowsOrigin('https://evil.example'))
  t.notOk(applications.allowsOrigin('https://shop.example.evil.example'))
  t.notOk(allowsOrigin(shop, 'https://blog.example'))
  applications.replace([application()])
  t.ok(applications.anyOrigin && applications.allowsOrigin('https://evil.example'))
  t.equal(applications.get('blog'), undefined)
})

t.test('the narrowest glob says how long a log group keeps its events', async t => {
  const applications = new Applications([
    application({ id: 'all', logGroups: ['*'], retentionDays: 1 }),
    application({ id: 'web', logGroups: ['/web/*'], retentionDays: 30 }),
    application({ id: 'shop', logGroups: ['/web/shop*'] })
  ])
  t.equal(applications.retentionDaysFor('/api'), 1)
  t.equal(applications.retentionDaysFor('/web/blog'), 30)
  t.equal(applications.retentionDaysFor('/web/shop'), undefined, 'it asks for none')
  t.equal(new Applications([application({ logGroups: [] })]).retentionDaysFor('/api'), undefined)
})

t.test('a token goes where both its application and its scope let it', async t => {
  const shop = application({ namespaces: ['shop', 'shop/*'], logGroups: ['/web/*'] })
  const refused = (scope: Scope, list: 'namespaces' | 'logGroups', name: string) => {
    try {
      requireScope({ application: shop, scope }, list, name)
      return null
    } catch (error) {
      return (error as Error).message
    }
  }
  t.equal(refused(WHOLE_APPLICATION, 'namespaces', 'shop/cart'), null)
  t.match(refused(WHOLE_APPLICATION, 'namespaces', 'billing'), /namespace "billing"/)
  t.match(refused({ namespaces: ['shop'] }, 'namespaces', 'shop/cart'), /namespace "shop\/cart"/)
  t.match(refused({ namespaces: ['*'] }, 'namespaces', 'billing'), /billing/, 'a scope only narrows')
  t.equal(refused({ namespaces: ['shop'] }, 'logGroups', '/web/shop'), null, 'a list that it does not have')
  t.match(refused({ logGroups: [] }, 'logGroups', '/web/shop'), /log group/)
  t.doesNotThrow(
    () =>
      requireScope(
        { application: application({ namespaces: ['*'] }), scope: WHOLE_APPLICATION }, 'namespaces', 'anything'
      )
  )
})

t.test('what is no scope is not read as one', async t => {
  t.same(readScope({ namespaces: ['a'], logStreams: [] }), { namespaces: ['a'], logStreams: [] })
  for (const bad of [
    null,
    'shop',
    [],
    { namespaces: 'shop' },
    { namespaces: [1] },
    { namespaces: [''] },
    { other: [] },
    { namespaces: Array(21).fill('a') },
    { namespaces: ['a'.repeat(1_025)] },
    JSON.parse('{"__proto__":[]}')
  ]) {
    t.equal(readScope(bad), null, JSON.stringify(bad)?.slice(0, 40))
  }
})
