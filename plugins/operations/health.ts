import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { monotonicNow, unixNow } from '../../lib/clock.js'
import { AwsAccess } from '../../lib/delivery/aws-access.js'
import { reachEndpoints } from '../../lib/delivery/aws-endpoint.js'
import { answerWithin } from '../../lib/redis/ask.js'
import { healthClassOf, healthClassOfStore } from '../../lib/resilience/health-class.js'
import type { UnreadCount } from '../../lib/spool/spool.js'
import type { SetEntry, VersionedSet } from '../../lib/state/store.js'
import { DAY_MS, type MonotonicMs, type UnixMs } from '../../schemas/common.js'
import type { FailingPart, Health, HealthDetail } from '../../schemas/health.js'

declare module 'fastify' {
  interface FastifyInstance { health: ReturnType<typeof createHealth> }
}

/** The report of a process that forwards, for the other processes. */
interface Report extends SetEntry {
  /** How often the process has told of itself. */
  told: number
  /** Until when it counts for a process that sees it for the first time. */
  freshUntil: UnixMs
  failing: FailingPart[]
}

/** The name of the reports in the state store. */
const REPORTS = 'health'
/** How often a process looks whether its report has changed, and how often it is told again. */
const LOOK_MS = 1_000
const TELL_MS = 10_000
/** A process that has told nothing for so long is gone. */
const REPORT_LIFE_MS = 30_000
/** The store keeps reports for longer, as the wall clocks of processes may differ. */
const REPORT_KEPT_MS = DAY_MS
/** Whoever asks more often gets the last answer. */
const ANSWER_LIFE_MS = 500
const STORE_TIMEOUT_MS = 2_000
/** Written to see whether the state store takes writes. */
const PROBE = 'health:probe'
const PROBE_LIFE_MS = 60_000

/** The failing parts of all reports; a part that only some reports name fails partially. */
function commonParts (reports: readonly Report[]): FailingPart[] {
  const byPart = new Map<string, FailingPart[]>()
  for (const part of reports.flatMap(({ failing }) => failing)) {
    byPart.set(part.part, [...byPart.get(part.part) ?? [], part])
  }
  return Array.from(byPart.values(), parts => {
    const worst = parts.find(({ partial }) => !partial) ?? parts[0]!
    return { ...worst, partial: worst.partial || parts.length < reports.length }
  })
}

/**
 * Tells the reports of processes that live from those of processes that have ended without a word: a process tells
 * again and again. That goes by the monotonic clock of whoever reads, as any wall clock may be wrong.
 */
function createLiveReports (reports: VersionedSet<Report>): () => Promise<Report[]> {
  let seen = new Map<string, { told: number, at: MonotonicMs }>()
  let lookedAt: MonotonicMs = -Infinity

  /** When the report was new to whoever reads; long ago for one that may have been there for any time. */
  function newAt ({ id, told, freshUntil }: Report, now: MonotonicMs): MonotonicMs {
    const known = seen.get(id)
    if (known?.told === told) return known.at
    const isNew = (known !== undefined && now - lookedAt < REPORT_LIFE_MS) || freshUntil > unixNow()
    return isNew ? now : -Infinity
  }

  return async () => {
    const told = await reports.list()
    const now = monotonicNow()
    seen = new Map(told.map(report => [report.id, { told: report.told, at: newAt(report, now) }]))
    lookedAt = now
    return told.filter(({ id }) => now - seen.get(id)!.at < REPORT_LIFE_MS)
  }
}

function createHealth (fastify: FastifyInstance, reports: VersionedSet<Report>) {
  const { aws, config, forwarding, processes, spool, state, strikeSecrets } = fastify
  const awsAccess = new AwsAccess({ client: aws.cloudwatch, reach: () => reachEndpoints(aws), now: monotonicNow })
  const forwards = config.FORWARDER !== 'off'
  const liveReports = createLiveReports(reports)
  let answer: { at: MonotonicMs, detail: Promise<HealthDetail> } | null = null

  function storeFault (message: string, { isPartial = false } = {}): FailingPart {
    const health = healthClassOfStore(message)
    // A store that is full drains by itself, and says so to each client.
    return { part: 'spool', class: health, message: strikeSecrets(message), partial: isPartial || health === 'full' }
  }

  /** Records that wait for a newer gateway are named; the others are stored and delivered meanwhile. */
  function unreadPart ({ kind, version, records }: UnreadCount): FailingPart {
    const message = `${records} records of version ${version} (${kind}) wait for a newer gateway`
    return { part: 'spool', class: 'newer-version', message, partial: true }
  }

  /** While some masters of a cluster take nothing, the items of the others are stored and delivered. */
  async function checkStores (): Promise<FailingPart[]> {
    const within = async <T>(answer: Promise<T>): Promise<T> => await answerWithin(STORE_TIMEOUT_MS, answer)
    const others = Promise.all([within(spool.unread()), within(state.setMany({ [PROBE]: '1' }, PROBE_LIFE_MS))])
    others.catch(() => {})
    try {
      const away = await within(spool.probe())
      if (away.length > 0) return [storeFault(away.join('; '), { isPartial: true })]
      const [unread] = await others
      return unread.map(unreadPart)
    } catch (error) {
      return [storeFault((error as Error).message)]
    }
  }

  /** The failing parts of a process that forwards; web alone delivers nothing, and may have no credentials. */
  async function checkDeliveries (): Promise<FailingPart[]> {
    const failure = await awsAccess.failure()
    const access: FailingPart[] = failure === null
      ? []
      : [{ part: 'aws', class: healthClassOf(failure), message: strikeSecrets(failure.message), partial: false }]
    return [...access, ...forwarding.failing(), ...checkProcesses()]
  }

  /** A primary knows which of its web processes take requests. */
  function checkProcesses (): FailingPart[] {
    if (processes.role !== 'primary') return []
    const { count, listening } = processes.web
    const message = `${listening} of ${count} web processes take requests`
    return listening === count ? [] : [{ part: 'processes', class: 'absent', message, partial: true }]
  }

  /** The failing parts in the reports of the processes that forward. */
  async function readReports (): Promise<FailingPart[]> {
    if (!state.shared) return []
    let told: Report[]
    try {
      told = await liveReports()
    } catch {
      // The store is a part of its own.
      return []
    }
    if (told.length > 0) return commonParts(told)
    return [{
      part: 'forwarders',
      class: 'absent',
      message: 'no process that forwards has told of itself',
      partial: true
    }]
  }

  async function look (): Promise<HealthDetail> {
    const failing = (await Promise.all([checkStores(), forwards ? checkDeliveries() : readReports()])).flat()
    return { status: failing.some(({ partial }) => !partial) ? 'failing' : 'ok', failing }
  }

  return {
    checkDeliveries,

    /** With the texts of others, for operators. */
    async detail (): Promise<HealthDetail> {
      if (answer === null || monotonicNow() - answer.at >= ANSWER_LIFE_MS) {
        answer = { at: monotonicNow(), detail: look() }
      }
      return await answer.detail
    },

    /** For anybody: parts and classes. Calls nothing of CloudWatch. */
    async check (): Promise<Health> {
      const { status, failing } = await this.detail()
      return { status, failing: failing.map(({ part, class: health }) => ({ part, class: health })) }
    }
  }
}

/** Has a process that forwards tell the others of itself, at once when anything changes, until it ends. */
function tellOthers (fastify: FastifyInstance, reports: VersionedSet<Report>): void {
  const id = randomUUID()
  let tellings = 0
  let told = ''
  let toldAt: MonotonicMs = -Infinity
  let telling = Promise.resolve()

  async function tell (): Promise<void> {
    const failing = await fastify.health.checkDeliveries()
    const text = JSON.stringify(failing)
    if (text === told && monotonicNow() - toldAt < TELL_MS) return
    const now = unixNow()
    await reports.put({
      id, told: ++tellings, freshUntil: now + REPORT_LIFE_MS, expiresAt: now + REPORT_KEPT_MS, failing
    })
    told = text
    toldAt = monotonicNow()
  }

  // While the store is away nobody can be told.
  const tick = (): void => { telling = telling.then(tell).catch(() => {}) }
  let timer: NodeJS.Timeout | undefined
  fastify.addHook('onReady', async () => {
    tick()
    timer = setInterval(tick, LOOK_MS).unref()
  })
  fastify.addHook('onClose', async () => {
    clearInterval(timer)
    await telling
    await reports.put({ id, told: ++tellings, freshUntil: 0, expiresAt: 0, failing: [] }).catch(() => {})
  })
}

/**
 * Owns `fastify.health`: whether items can be stored and delivered, by this process or by those that forward for it.
 */
async function health (fastify: FastifyInstance): Promise<void> {
  const reports = fastify.state.versionedSet<Report>(REPORTS, 'told')
  fastify.decorate('health', createHealth(fastify, reports))
  if (fastify.state.shared && fastify.config.FORWARDER !== 'off') tellOthers(fastify, reports)
}

export default fp(health, {
  name: 'health', dependencies: ['config', 'processes', 'aws', 'spool', 'state', 'forwarding', 'secrets']
})
