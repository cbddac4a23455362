import t from 'tap'
import { Explainer } from '../../../tools/chaos/explain.js'
import { SPOOL_UNAVAILABLE } from '../../../tools/chaos/load.js'
import type { FaultWindow } from '../../../tools/chaos/timeline.js'
import type { Call } from '../../../tools/chaos/witness.js'

const FORWARDER = 'worker-1'

function call (startedAt: number, endedAt: number): Call {
  return {
    forwarder: FORWARDER,
    action: 'PutLogEvents',
    destination: '/app:a',
    items: [1],
    rejected: [],
    startedAt,
    endedAt,
    outcome: 'taken'
  }
}

function held (startedAt: number, endedAt: number): FaultWindow {
  return {
    id: 0,
    kind: 'worker-cloudwatch hold',
    place: 'worker-cloudwatch',
    mode: 'hold',
    target: FORWARDER,
    detail: '',
    effects: { answersOf: [FORWARDER] },
    startedAt,
    endedAt
  }
}

function storeSlow (startedAt: number, endedAt: number): FaultWindow {
  return {
    id: 1,
    kind: 'worker-redis slow',
    place: 'worker-redis',
    mode: 'slow',
    target: FORWARDER,
    detail: '',
    effects: { storeOf: [FORWARDER] },
    startedAt,
    endedAt
  }
}

t.test('a store that is slow when a delivery ends explains its calls, also before one that was held', async t => {
  const taken = call(184_900, 185_010)
  const later = call(186_110, 186_900)
  const windows = [held(187_280, 190_400), storeSlow(189_840, 194_640)]
  t.equal(new Explainer(windows, [taken, call(185_600, 185_900), later], () => false).openedBy(taken), windows[1])
  t.equal(new Explainer([windows[1]!], [taken, call(185_600, 185_900), later], () => false).openedBy(taken), null)
  const afterwards = [held(189_000, 190_400), windows[1]!]
  t.equal(new Explainer(afterwards, [taken], () => false).openedBy(taken), null, 'the delivery has long ended')
})

t.test('a web process that was stopped while it waited for its store may say that the store is away', async t => {
  const web = 'web-1'
  const paused = (target: string): FaultWindow => ({
    ...held(18_020, 22_750), kind: 'web pause', place: 'web', mode: 'pause', target, effects: { processes: [target] }
  })
  const attempt = { web, startedAt: 16_990, endedAt: 22_950, status: 503, error: SPOOL_UNAVAILABLE }
  t.ok(new Explainer([paused(web)], [], () => false).explains(attempt))
  t.notOk(new Explainer([paused('web-2')], [], () => false).explains(attempt), 'but not another')
  t.notOk(new Explainer([paused(web)], [], () => false).explains({ ...attempt, startedAt: 22_800 }), 'nor afterwards')
})
