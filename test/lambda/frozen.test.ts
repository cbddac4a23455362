import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startPlatform } from '../../tools/sandbox/platform/platform-server.js'
import type { PlatformSandbox } from '../../tools/sandbox/platform/platform-sandbox.js'
import { awsEnvironment, startAwsFakes, type AwsFakes } from '../helpers/aws-fakes.js'
import { startModule } from '../helpers/lambda-process.js'
import { recordedEvent } from '../helpers/lambda.js'
import { accessLogLines, subscriptionEvent } from '../helpers/metering.js'
import type { Teardown } from '../helpers/teardown.js'

const SECRET = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:platform'

interface World {
  platform: PlatformSandbox
  aws: AwsFakes
  env: Record<string, string>
}

async function openWorld (t: Teardown): Promise<World> {
  const [platform, aws] = await Promise.all([startPlatform(), startAwsFakes(t)])
  t.teardown(() => platform.close())
  aws.secrets[SECRET] = 'hak_sandbox'
  return {
    platform,
    aws,
    env: {
      ...awsEnvironment(aws),
      REVENIUM_PLATFORM_API: platform.urls['v1-meter'],
      REVENIUM_PLATFORM_API_KEY_SECRET: SECRET,
      PARKING_QUEUE_URL: `${aws.url}/000000000000/parking`,
      DEAD_LETTER_QUEUE_URL: `${aws.url}/000000000000/dead-letters`
    }
  }
}

async function askFor (clientId: string): Promise<unknown> {
  const event = await recordedEvent('http-2.0')
  event.headers.clientid = clientId
  return event
}

t.test('a verdict is renewed before the answer: nothing runs on, and runs out of time, while Lambda has frozen the process', async t => {
  const { platform, env } = await openWorld(t)
  platform.setClients({ acme: 'entitled', newcomer: 'entitled' })
  platform.faults.set([{ kind: 'delay', delayMs: 100 }])
  const authorizer = startModule(t, 'authorizer', {
    ...env,
    VERDICT_TTL_SECONDS: '1',
    STALE_SECONDS: '30',
    PLATFORM_TIMEOUT_MS: '1000'
  })
  for (let round = 0; round < 7; round++) {
    t.match((await authorizer.invoke(await askFor('acme'))).result, { context: { entitlement: 'entitled' } })
    const { asked } = platform.ledger()
    await sleep(1_200)
    t.same(platform.ledger().asked, asked, 'nobody asks while the process stands still')
  }
  t.same(platform.ledger().asked, { acme: 7 })
  t.match(await authorizer.invoke(await askFor('newcomer')), {
    result: { policyDocument: { Statement: [{ Effect: 'Allow' }] } }
  })
  t.notMatch(authorizer.log(), /"level"|UnknownVerdicts/)
})

t.test('what is sent when the answer comes is all that is sent', async t => {
  const { platform, aws, env } = await openWorld(t)
  const metering = startModule(t, 'metering', { ...env, PLATFORM_TIMEOUT_MS: '300' })
  t.match((await metering.invoke(subscriptionEvent(accessLogLines(20)))).result, { metered: 20 })
  platform.faults.set([{ kind: 'hang' }])
  t.match((await metering.invoke(subscriptionEvent(accessLogLines(40, { stage: 'hangs' })))).result, { parked: 40 })
  const { calls } = platform.ledger()
  t.equal(aws.sent.flatMap(({ body }) => body.calls as unknown[]).length, 40)
  t.match(aws.sent[0]!.body.message, /^no answer from the metering platform/)
  await sleep(500)
  platform.faults.set([])
  t.match((await metering.invoke(subscriptionEvent(accessLogLines(1, { stage: 'after' })))).result, { metered: 1 })
  t.equal(platform.ledger().calls.meter, calls.meter! + 1)
  t.match(metering.log(), /"Parked":40.*"reason":"no answer from the metering platform/)
})

interface ConfigFault {
  env?: (world: World) => Record<string, string>
  break?: (world: World) => void
  reason: RegExp
}

const CONFIG_FAULTS: Record<string, ConfigFault> = {
  'a secret that was deleted': {
    break: ({ aws }) => { delete aws.secrets[SECRET] }, reason: /cannot be read: .*ResourceNotFoundException/
  },
  'a Secrets Manager that is down': {
    break: ({ aws }) => { aws.fail('GetSecretValue', 500, 1_000) }, reason: /cannot be read: .*InternalFailure/
  },
  'a Secrets Manager that refuses': {
    break: ({ aws }) => { aws.fail('GetSecretValue', 400, 1_000) }, reason: /cannot be read: .*AccessDenied/
  },
  'an empty secret': { break: ({ aws }) => { aws.secrets[SECRET] = '{"apiKey":" "}' }, reason: /holds no key/ },
  'a host that does not resolve': {
    env: () => ({ REVENIUM_PLATFORM_API: 'https://no-such-host.invalid/meter' }), reason: /no-such-host\.invalid/
  },
  'a line break in the key': {
    break: ({ aws }) => { aws.secrets[SECRET] = 'hak_one\nhak_two' }, reason: /printable ASCII, without line breaks/
  },
  'an address that is not one of TLS': {
    env: ({ platform }) => ({ REVENIUM_PLATFORM_API: platform.urls['v1-meter'].replace('http:', 'https:') }),
    reason: /SSL|packet length|wrong version/i
  }
}

for (const [name, fault] of Object.entries(CONFIG_FAULTS)) {
  t.test(`${name} is said, counted, and the reason of what is parked`, async t => {
    const world = await openWorld(t)
    fault.break?.(world)
    const env = { ...world.env, ...fault.env?.(world) }
    const metering = startModule(t, 'metering', env)
    t.match((await metering.invoke(subscriptionEvent(accessLogLines(30)))).result, {
      received: 30,
      metered: 0,
      parked: 30,
      configFaults: 1
    })
    t.match(
      metering.log(),
      /"level":"error","message":"nothing can be sent to the metering platform: check its key and its address"/
    )
    t.match(metering.log(), /"ConfigFaults":1/)
    t.match(metering.log(), fault.reason)
    t.match(world.aws.sent, [{ queueUrl: /parking$/, body: { attempt: 1, message: fault.reason } }])
    t.notMatch(metering.log(), /hak_/)

    const authorizer = startModule(t, 'authorizer', { ...env, FAIL_MODE: 'open' })
    t.match((await authorizer.invoke(await askFor('acme'))).result, { context: { entitlement: 'unknown' } })
    t.match(authorizer.log(), /"message":"the metering platform cannot be asked: check its key and its address"/)
    t.match(authorizer.log(), /"UnknownVerdicts":1,"ConfigFaults":1/)
    t.notMatch(authorizer.log(), /hak_/)
  })
}

const API_GATEWAY_WAITS_MS = 10_000
interface SlowFault {
  name: string
  failMode: 'open' | 'closed'
  env?: Record<string, string>
  break: (world: World) => void
  reason: RegExp
}

const SLOWEST: SlowFault[] = [
  {
    name: 'a Secrets Manager that does not answer',
    failMode: 'closed',
    break: ({ aws }) => { aws.fail('GetSecretValue', 'hang', 2) },
    reason: /cannot be read/
  },
  {
    name: 'a secret that never ends',
    failMode: 'open',
    break: ({ aws }) => { aws.fail('GetSecretValue', 'stall', 1) },
    reason: /cannot be read: .*no answer in 8000 ms/
  },
  {
    name: 'a Secrets Manager that hangs once, and then a platform with all the time that a setting can give',
    failMode: 'closed',
    env: { PLATFORM_TIMEOUT_MS: '60000' },
    break ({ aws, platform }) {
      aws.fail('GetSecretValue', 'hang', 1)
      platform.faults.set([{ kind: 'hang' }])
    },
    reason: /no answer in 8000 ms/
  }
]

t.test('whatever hangs, the authorizer answers before API Gateway stops waiting, and nothing of it is left for the next call', async t => {
  await Promise.all(SLOWEST.map(async ({ name, failMode, env, break: breakWorld, reason }) => {
    const world = await openWorld(t)
    world.platform.setClients({ acme: 'entitled' })
    const authorizer = startModule(t, 'authorizer', { ...world.env, ...env, FAIL_MODE: failMode })
    t.match(
      (await authorizer.invoke(await askFor('no&client'))).result,
      { context: { entitlement: 'denied' } },
      'the function has started'
    )
    breakWorld(world)
    const askedAt = performance.now()
    const answer = await authorizer.invoke(await askFor('acme'))
    t.ok(performance.now() - askedAt < 0.9 * API_GATEWAY_WAITS_MS, name)
    t.match(
      answer,
      failMode === 'open'
        ? { result: { context: { entitlement: 'unknown' } } }
        : { errorType: 'EntitlementUnknownError' },
      name
    )
    t.match(authorizer.log(), reason, name)
    world.platform.faults.set([])
    t.match((await authorizer.invoke(await askFor('acme'))).result, { context: { entitlement: 'entitled' } }, name)
  }))
})

t.test('FAIL_MODE open and a platform that refuses the key: everybody may call, and it is counted each time', async t => {
  const { platform, env } = await openWorld(t)
  platform.faults.set([{ kind: 'answer', status: 401 }])
  const authorizer = startModule(t, 'authorizer', { ...env, FAIL_MODE: 'open' })
  for (const clientId of ['acme', 'newcomer']) {
    t.match((await authorizer.invoke(await askFor(clientId))).result, {
      policyDocument: { Statement: [{ Effect: 'Allow' }] }, context: { entitlement: 'unknown' }
    })
  }
  t.equal(authorizer.log().match(/"UnknownVerdicts":1,"ConfigFaults":1/g)?.length, 2)
})
