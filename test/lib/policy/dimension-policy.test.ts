import t from 'tap'
import { createDimensionPolicy, type DimensionSettings } from '../../../lib/policy/dimension-policy.js'
import { InvalidItem } from '../../../lib/items/item-error.js'

const dimensions = (...names: string[]) => names.map(Name => ({ Name, Value: `of ${Name}` }))

function apply (settings: DimensionSettings, given: ReturnType<typeof dimensions>) {
  let collapsed = 0
  const policy = createDimensionPolicy(settings, () => { collapsed++ })!
  return { result: policy.apply(given, 'Dimensions'), collapsed }
}

function refusal (settings: DimensionSettings, given: ReturnType<typeof dimensions>): InvalidItem {
  try {
    apply(settings, given)
  } catch (error) {
    return error as InvalidItem
  }
  throw new Error('not refused')
}

t.test('without settings there is no policy', async t => {
  t.equal(createDimensionPolicy({}, () => {}), null)
  t.equal(createDimensionPolicy({ unknown: 'refuse' }, () => {}), null, 'nothing is unknown when everything is allowed')
  t.equal(createDimensionPolicy({ allowed: ['Page'], unknown: 'keep' }, () => {}), null)
})

t.test('what is allowed or required is kept as it is', async t => {
  const given = dimensions('Page', 'Release')
  t.equal(apply({ allowed: ['Page'], required: ['Release'] }, given).result, given)
})

t.test('unknown dimensions are dropped, collapsed or refused', async t => {
  const given = dimensions('Page', 'User', 'Session')
  t.same(apply({ allowed: ['Page'] }, given).result, dimensions('Page'), 'dropped unless told otherwise')
  t.same(apply({ allowed: ['Page'], unknown: 'drop' }, given).result, dimensions('Page'))
  t.same(apply({ allowed: ['Page'], unknown: 'fold' }, given), {
    result: [...dimensions('Page'), { Name: 'User', Value: '__other__' }, { Name: 'Session', Value: '__other__' }],
    collapsed: 2
  })
  t.match(refusal({ allowed: ['Page'], unknown: 'refuse' }, given), {
    reason: 'invalid-dimension', message: /must not have the dimension "User"/
  })
  t.same(apply({ allowed: [] }, given).result, [], 'an empty list allows none')
})

t.test('a required dimension that is missing is refused', async t => {
  t.match(refusal({ required: ['Page', 'Release'] }, dimensions('Page')), {
    reason: 'invalid-dimension', message: 'Dimensions must have the dimension "Release".'
  })
  t.match(refusal({ required: ['Page'], allowed: ['User'], unknown: 'keep' }, []), { reason: 'invalid-dimension' })
})
