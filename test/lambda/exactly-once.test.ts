import fc from 'fast-check'
import t from 'tap'
import { lambdaContext, openHandler, queueEvent, type TestHandler } from '../helpers/lambda.js'
import { accessLogLine, failuresOf, openTestPlatform, subscriptionEvent } from '../helpers/metering.js'
import type { ParkedMessage } from '../../lambda/parking.js'
import type { PlatformFaultRule } from '../../tools/sandbox/platform/platform-fault-plan.js'

/** What Lambda and SQS may do to an event, and the platform to a call. */
const scenario = fc.record({
  /** Lines of each event; a number that comes again is the same call. */
  events: fc.array(fc.array(fc.integer({ min: 0, max: 39 }), { minLength: 1, maxLength: 12 }), {
    minLength: 1, maxLength: 8
  }),
  /** Events that Lambda delivers twice. */
  repeated: fc.array(fc.nat({ max: 7 }), { maxLength: 4 }),
  faults: fc.subarray<PlatformFaultRule>([
    { kind: 'answer', status: 429, share: 0.2 },
    { kind: 'answer', status: 503, share: 0.2 },
    { kind: 'answer', status: 401, share: 0.05 },
    { kind: 'answer', status: 409, share: 0.05 },
    { kind: 'reset', share: 0.1 },
    { kind: 'reset', afterStore: true, share: 0.15 },
    { kind: 'delay', delayMs: 30, share: 0.1 }
  ]),
  /** A new process takes over after so many invocations. */
  restartAfter: fc.integer({ min: 1, max: 6 }),
  /** Parking fails this often, in a hundred. */
  parkingFails: fc.integer({ min: 0, max: 50 }),
  /** Milliseconds that an invocation has. */
  timeMs: fc.constantFrom(150, 60_000),
  seed: fc.integer()
})

t.test('each call is metered exactly once, whatever is repeated, fails or starts anew', async t => {
  const test = await openTestPlatform(t, { timeoutMs: 1_000 })
  /** What has really happened, over all scenarios. */
  const seen = { repeated: 0, faults: 0, alreadyMetered: 0, restarts: 0, parkingFailures: 0, comeBack: 0, failed: 0 }
  let run = 0
  await fc.assert(fc.asyncProperty(scenario, async ({
    events, repeated, faults, restartAfter, parkingFails, timeMs, seed
  }) => {
    // A request that an earlier scenario has cut off may be recorded only now: ids tell it apart.
    const prefix = `run ${run++}, call `
    test.sandbox.reset()
    test.sandbox.faults.set({ rules: faults, seed })
    const line = (call: number): string => accessLogLine({ extendedRequestId: `${prefix}${call}` })
    const delivered = [...events, ...repeated.flatMap(index => events[index] === undefined ? [] : [events[index]])]
    const lineCount = delivered.flat().length
    const queue: object[] = delivered.map(calls => subscriptionEvent(calls.map(line)))
    const expected = new Set(events.flat().map(call => `${prefix}${call}`))

    let random = Math.abs(seed) % 1_000
    const draw = (): number => (random = (random * 31 + 7) % 1_000) / 1_000
    const parked: ParkedMessage[] = []
    const parking = {
      park: async (messages: ParkedMessage[]) => {
        if (messages.length > 0 && draw() * 100 < parkingFails) {
          seen.parkingFailures++
          throw new Error('the queue is away')
        }
        parked.push(...JSON.parse(JSON.stringify(messages)) as ParkedMessage[])
      },
      deadLetter: async (messages: ParkedMessage[]) => {
        if (messages.length > 0) throw new Error('nothing here is to become a dead letter')
      }
    }
    let handler: TestHandler | null = null
    for (let invocation = 0; queue.length > 0; invocation++) {
      if (invocation % restartAfter === 0) {
        handler = openHandler(test, { parking })
        if (invocation > 0) seen.restarts++
      }
      if (invocation === 40) test.sandbox.faults.clear()
      const event = queue.shift()!
      try {
        const answer = await handler!.handle(event, lambdaContext(invocation < 40 ? timeMs : 60_000))
        if (answer.batchItemFailures?.length > 0) queue.push(event)
      } catch {
        seen.failed++
        queue.push(event)
      }
      seen.comeBack += parked.length
      queue.push(...parked.splice(0).map(message => queueEvent({ ...message, attempt: 1 })))
    }
    seen.alreadyMetered += test.sandbox.ledger().duplicates
    seen.faults += failuresOf(test.sandbox)
    seen.repeated += lineCount - expected.size
    const metered = test.sandbox.events().map(
      ({ body }) => String(body.correlationId)
    ).filter(id => id.startsWith(prefix))
    t.equal(metered.length, expected.size)
    t.strictSame(new Set(metered), expected)
  }), { numRuns: 40 })
  for (const [what, times] of Object.entries(seen)) t.ok(times > 0, `${what}: ${times}`)
})
