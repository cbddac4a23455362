import fc from 'fast-check'
import t from 'tap'
import { BACKENDS, eventually } from '../helpers/app.js'
import { checkBalance, drained, idsOf, sameStore, startGatewayFor } from '../helpers/metered-gateway.js'
import { accessLogLine, failuresOf, subscriptionEvent } from '../helpers/metering.js'
import { startPlatform } from '../../tools/sandbox/platform/platform-server.js'
import type { PlatformFaultRule } from '../../tools/sandbox/platform/platform-fault-plan.js'

for (const backend of BACKENDS) {
  t.test(`each call is metered exactly once, whatever is repeated, fails or starts anew, ${backend}`, async t => {
    const scenario = fc.record({
      requests: fc.array(fc.array(fc.integer({ min: 0, max: 39 }), { minLength: 1, maxLength: 12 }), {
        minLength: 2, maxLength: 10
      }),
      repeated: fc.array(fc.nat({ max: 9 }), { maxLength: 4 }),
      restartAfter: fc.integer({ min: 1, max: 5 }),
      firehose: fc.boolean(),
      // always some: there are few runs
      faults: fc.subarray<PlatformFaultRule>([
        { kind: 'answer', status: 429, share: 0.1 },
        { kind: 'answer', status: 503, share: 0.1 },
        { kind: 'reset', share: 0.05 },
        { kind: 'reset', afterStore: true, share: 0.1 },
        { kind: 'delay', delayMs: 30, share: 0.1 }
      ], { minLength: 3 }),
      seed: fc.integer()
    })
    const platform = await startPlatform()
    t.teardown(() => platform.close())
    /** What has really happened, over all scenarios. */
    const seen = { repeated: 0, faults: 0, restarts: 0 }
    await fc.assert(fc.asyncProperty(scenario, async ({ requests, repeated, restartAfter, firehose, faults, seed }) => {
      platform.reset()
      platform.faults.set({ rules: faults, seed })
      const store = await sameStore(t, backend)
      const start = () =>
        startGatewayFor(t, platform, { ...store, SHUTDOWN_GRACE_MS: '0', LEASE_MS: '1000', METERING_CONCURRENCY: '4' })
      let gateway = await start()
      let restarts = 0
      const all = [...requests, ...repeated.flatMap(index => requests[index] === undefined ? [] : [requests[index]])]
      for (const [index, calls] of all.entries()) {
        const lines = calls.map(call => accessLogLine({ extendedRequestId: `call ${call}` }))
        const answer = firehose
          ? await gateway.postFirehose(`request ${index}`, [Buffer.from(lines.join('\n')).toString('base64')])
          : await gateway.postLogs(subscriptionEvent(lines))
        t.equal(answer.status, 200)
        if (index % restartAfter === restartAfter - 1 && restarts++ < 2) {
          await gateway.app.close()
          gateway = await start()
          seen.restarts++
        }
      }
      // the first failures have to have come before they stop
      if (faults.some(({ kind }) => kind === 'answer')) {
        await eventually(() =>
          failuresOf(platform) > 0 || platform.ledger().metered >= new Set(requests.flat()).size ? true : undefined)
      }
      platform.faults.clear()
      await drained(gateway)
      seen.faults += failuresOf(platform)
      seen.repeated += all.flat().length - new Set(requests.flat()).size
      t.strictSame(
        idsOf(platform.events().map(({ body }) => body)),
        [...new Set(requests.flat())].map(call => `call ${call}`).sort()
      )
      await checkBalance(t, gateway)
      await gateway.app.close()
    }), { numRuns: 4 })
    for (const [what, times] of Object.entries(seen)) t.ok(times > 0, `${what}: ${times}`)
  })
}
