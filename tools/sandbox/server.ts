import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { CONTROL_PREFIX, createControl } from './control.js'
import { AwsError, type Service } from './aws-error.js'
import type { FaultRule } from './fault-plan.js'
import { faultError, Faults } from './faults.js'
import type { Action, Input } from './input.js'
import { Ledger, type CallRecord } from './ledger.js'
import { listen } from './listen.js'
import { createIdentityActions } from './identity/identity-actions.js'
import { createLogActions } from './logs/log-actions.js'
import { LogStore } from './logs/log-store.js'
import { Subscriptions, type SubscriptionsOptions } from './logs/subscriptions.js'
import { createMetricActions } from './metrics/metric-actions.js'
import { MetricStore } from './metrics/metric-store.js'
import {
  decompress, parseForm, parseInput, readBody, readTarget, requireAction, requireAuthorization, requireTimelySignature,
  sendAnswer, sendError, sendGarbage
} from './protocol.js'
import type { Sandbox, SandboxState } from './sandbox.js'

export interface SandboxOptions {
  /** 0 or absent: a free port. */
  port?: number
  /** Absent: 127.0.0.1. */
  host?: string
  /** The clock in Unix milliseconds against which the time limits of AWS are measured. */
  now?: () => number
  /** False: a signature may be of any time, as where the clock of this very process is set. Absent: true. */
  timelySignatures?: boolean
  /** Whether log events and data points are kept; false: they are only checked and counted. Absent: true. */
  keepItems?: boolean
  /** Options for the functions that are subscribed to log groups. */
  subscriptions?: SubscriptionsOptions
}

/** Starts a sandbox. @throws Error when the port is taken */
export async function startSandbox (options: SandboxOptions = {}): Promise<Sandbox> {
  const { port = 0, host = '127.0.0.1', now = Date.now, keepItems = true, timelySignatures = true } = options
  const subscriptions = new Subscriptions(options.subscriptions)
  const core = createCore({ now, keepItems, subscriptions })
  const control = createControl(core)
  const closing = new AbortController()
  const gateway = createGateway(core, timelySignatures, closing.signal)
  const listening = await listen({
    port,
    host,
    handlerOf: path => path.startsWith(CONTROL_PREFIX) ? control : gateway,
    onClose () {
      closing.abort()
      subscriptions.stop()
    }
  })
  return { ...core, ...listening }
}

interface Core extends SandboxState {
  actions: Record<Service, Record<string, Action>>
  recorder: Ledger
  faults: Faults
  now: () => number
}

function createCore (options: { now: () => number, keepItems: boolean, subscriptions: Subscriptions }): Core {
  const { subscriptions } = options
  const metrics = new MetricStore()
  const logs = new LogStore()
  const recorder = new Ledger()
  const faults = new Faults(options.now)
  return {
    now: options.now,
    recorder,
    faults,
    actions: {
      cloudwatch: createMetricActions(metrics, options),
      logs: createLogActions(logs, options),
      identity: createIdentityActions(faults)
    },
    ledger: () => recorder.snapshot(),
    calls: limit => recorder.calls(limit),
    series: namespace => metrics.snapshot(namespace),
    setFunction: (name, target) => subscriptions.setFunction(name, target),
    subscriptionsIdle: () => subscriptions.idle(),
    * items (logGroupName) {
      for (const group of logs.groups.values()) {
        if (logGroupName !== undefined && group.name !== logGroupName) continue
        for (const stream of group.streams.values()) {
          for (const { timestamp, message } of stream.stored()) {
            yield { logGroupName: group.name, logStreamName: stream.name, timestamp, message }
          }
        }
      }
    },
    reset () {
      subscriptions.stop()
      metrics.reset()
      logs.reset()
      recorder.reset()
      faults.clear()
    }
  }
}

/** Takes a call through its faults and its action to its answer, and writes it into the ledger. */
function createGateway ({ actions, faults, recorder, now }: Core, timelySignatures: boolean, closing: AbortSignal) {
  return async function gateway (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = readTarget(request)
    const record: CallRecord = { action: target.action, destination: '', items: 0, bytes: 0, at: now(), status: 200 }
    let wireBytes = 0
    try {
      const raw = await readBody(request)
      wireBytes = raw.length
      const form = target.service === 'identity' ? parseForm(raw) : null
      if (form !== null) target.action = record.action = String(form.Action)
      const action = requireAction(actions, target)
      requireAuthorization(request)
      if (timelySignatures) requireTimelySignature(request, target.service)
      const body = await decompress(raw, request.headers['content-encoding'])
      record.bytes = body.length
      const input = form ?? parseInput(body)
      Object.assign(record, describe(input))

      const fired = faults.draw({ action: target.action, input })
      const ending = fired.find(({ kind }) => kind !== 'delay')
      await delay(fired.filter(({ afterStore }) => afterStore !== true), closing)
      if (ending !== undefined && ending.afterStore !== true) return fail(ending, record, response, target.service)
      const answer = action(input, body.length)
      if (answer.delivered !== undefined) recorder.delivered(target.action, answer.delivered)
      await delay(fired.filter(({ afterStore }) => afterStore === true), closing)
      if (ending !== undefined) return fail(ending, record, response, target.service)
      sendAnswer(response, target.service, answer.body)
    } catch (error) {
      if (closing.aborted || !request.complete) {
        record.status = 0
        record.error = 'aborted'
        throw error
      }
      const failure = error instanceof AwsError
        ? error
        : new AwsError(500, 'InternalFailure', (error as Error).stack ?? String(error))
      record.status = failure.status
      record.error = failure.code
      sendError(response, target.service, failure)
    } finally {
      recorder.call(record, wireBytes)
    }
  }

  function fail (rule: FaultRule, record: CallRecord, response: ServerResponse, service: Service): void {
    if (rule.kind === 'garbage') {
      record.error = rule.kind
      return sendGarbage(response, service)
    }
    if (rule.kind === 'hang' || rule.kind === 'reset') {
      record.status = 0
      record.error = rule.kind
      if (rule.kind === 'hang') faults.hang(response)
      else response.socket?.resetAndDestroy()
      return
    }
    throw faultError(rule)
  }
}

function describe (input: Input): Pick<CallRecord, 'destination' | 'items'> {
  const { Namespace: namespace, logGroupName, logStreamName, MetricData: datums, logEvents: events } = input
  const carried = Array.isArray(datums) ? datums : Array.isArray(events) ? events : []
  return {
    destination: [namespace, logGroupName, logStreamName].filter(name => typeof name === 'string').join(':'),
    items: carried.length
  }
}

async function delay (rules: FaultRule[], signal: AbortSignal): Promise<void> {
  for (const { delayMs } of rules) {
    if (delayMs !== undefined) await sleep(delayMs, undefined, { signal, ref: false })
  }
}
