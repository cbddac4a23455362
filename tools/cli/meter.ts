import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { concurrencyOf, openClient, openFilter, profileOf } from '../../lambda/metering-client.js'
import { UNMETERED_REASONS } from '../../lambda/parking.js'
import { SettingsError } from '../../lambda/settings.js'
import { readQueueMessage, UnknownEventError, type EventContent } from '../../lambda/metering-event.js'
import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import { withoutByteOrderMark } from '../../lib/configuration/text-encoding.js'
import type { MeteredCall } from '../../lib/metering/metered-call.js'
import type { MeteringClient } from '../../lib/metering/metering-client.js'
import type { CallFilter } from '../../lib/metering/call-filter.js'
import { parseArguments } from './arguments.js'
import type { Command } from './command.js'
import { loadEnvFile } from './env-file.js'
import type { QueuedMessage } from './meter-queue.js'
import { printable } from './printable.js'
import { ArgumentError, UsageError } from './usage-error.js'

const USAGE = `Usage: cloudwatch-postman meter [FILE]... [options]
       cloudwatch-postman meter --queue URL [--reason REASON] [options]

Shows the events that would be sent to the metering platform, and the lines that would be skipped or dead-lettered.
Reads lines of an access log from files, or from standard input when no file is named, or the messages of the
dead-letter queue.

  --send           meter it; messages are deleted from the queue when all of their calls are metered
  --queue URL      messages of this queue instead of lines
  --reason REASON  only dead letters with this reason: ${UNMETERED_REASONS.join(', ')}

The settings are those of the metering function, from the environment or from .env.

Example
  aws logs filter-log-events --log-group-name ACCESS_LOG --query 'events[].[message]' --output text \\
    | cloudwatch-postman meter`

/** Lines that are read before their calls are sent. */
const BATCH = 1_000
/** Milliseconds in which the calls of one batch are sent. */
const TIME_MS = 120_000

const write = (line: string): void => { process.stdout.write(`${printable(line)}\n`) }

class Metering {
  readonly tally = { events: 0, sent: 0, refused: 0, left: 0, duplicates: 0, skipped: 0, unreadable: 0 }
  readonly #client: MeteringClient | null
  readonly #filter: CallFilter
  readonly #seen = new Set<string>()

  constructor (client: MeteringClient | null) {
    const filter = openFilter(process.env)
    this.#client = client
    this.#filter = call => {
      const reason = filter(call)
      if (reason !== null) write(`skip   ${reason}: ${call.method ?? ''} ${call.url ?? ''} ${call.responseCode}`)
      return reason
    }
  }

  /** @returns whether nothing of it is left to be done */
  async message (body: string): Promise<boolean> {
    return await this.#meter(await readQueueMessage(body, this.#filter, ''))
  }

  /** @returns whether nothing of it is left to be done */
  async #meter ({ calls, duplicates, skipped, unreadable, undecodable }: EventContent): Promise<boolean> {
    const fresh = calls.filter(({ id }) => !this.#seen.has(id))
    for (const { id } of fresh) this.#seen.add(id)
    for (const { line, message } of unreadable) write(`letter ${message}: ${line}`)
    if (undecodable !== null) write(`letter ${undecodable.message}`)
    this.tally.events += fresh.length
    this.tally.duplicates += duplicates + calls.length - fresh.length
    this.tally.skipped += Object.values(skipped).reduce((sum, count) => sum + count, 0)
    this.tally.unreadable += unreadable.length + (undecodable === null ? 0 : 1)
    const allMetered = this.#client === null ? show(fresh) : await this.#send(this.#client, fresh)
    return allMetered && unreadable.length === 0 && undecodable === null
  }

  async #send (client: MeteringClient, calls: MeteredCall[]): Promise<boolean> {
    const outcomes = await client.sendAll(calls, {
      concurrency: concurrencyOf(process.env),
      deadline: Date.now() + TIME_MS
    })
    for (const outcome of outcomes) {
      this.tally[outcome.result === 'delivered' ? 'sent' : outcome.result]++
      if (outcome.result === 'refused') write(`refused  ${outcome.message}: ${outcome.call.id}`)
      if (outcome.result === 'left') {
        write(`left   ${outcome.failure?.message ?? 'the time was over'}: ${outcome.call.id}`)
      }
    }
    return outcomes.every(({ result }) => result === 'delivered')
  }
}

function show (calls: MeteredCall[]): true {
  for (const call of calls) {
    for (const { path, body } of profileOf(process.env).posts(call)) {
      write(
      `event  ${path === '' ? '' : `${path} `}${JSON.stringify(body)}`
      )
    }
  }
  return true
}

async function meterLines (metering: Metering, files: string[]): Promise<void> {
  for (const file of files) {
    const input = file === '-' ? process.stdin : createReadStream(file)
    const lines: object[] = []
    let number = 0
    for await (const line of createInterface({ input })) {
      const text = number++ === 0 ? withoutByteOrderMark(line) : line
      if (text.trim() !== '') lines.push({ text, origin: { key: `${file}:${number}`, timestamp: Date.now() } })
      if (lines.length >= BATCH) await metering.message(JSON.stringify({ v: 1, lines: lines.splice(0) }))
    }
    if (lines.length > 0) await metering.message(JSON.stringify({ v: 1, lines }))
  }
}

/** A dry run gives every message back at its end, and not before, so that each is seen once. */
async function meterQueue (metering: Metering, url: string, reason: string | undefined, sends: boolean): Promise<void> {
  const { openQueue } = await import('./meter-queue.js')
  const queue = openQueue(url)
  const kept: QueuedMessage[] = []
  try {
    for await (const message of queue.messages()) {
      const done = isOf(message, reason) && await meterMessage(metering, message)
      if (done && sends) await queue.delete(message)
      else kept.push(message)
    }
  } finally {
    for (const message of kept) await queue.giveBack(message)
    queue.close()
  }
}

async function meterMessage (metering: Metering, { body }: QueuedMessage): Promise<boolean> {
  try {
    return await metering.message(body)
  } catch (error) {
    if (!(error instanceof UnknownEventError)) throw error
    write(`keep   ${error.message}`)
    return false
  }
}

function isOf ({ body }: QueuedMessage, reason: string | undefined): boolean {
  if (reason === undefined) return true
  try {
    return (JSON.parse(body) as { reason?: unknown } | null)?.reason === reason
  } catch {
    return false
  }
}

/** What went wrong, as its message alone: files, settings, the queue and the platform are not this program's. */
function toUsageError (error: Error & { code?: string }): UsageError {
  const plain = error instanceof SettingsError || error instanceof TypeError || error.code === 'ENOENT'
  return new UsageError(plain ? error.message : String(error), { cause: error })
}

async function meter (args: string[]): Promise<number> {
  const { positionals, values: { send, queue, reason } } = parseArguments({
    args,
    allowPositionals: true,
    options: { send: { type: 'boolean', default: false }, queue: { type: 'string' }, reason: { type: 'string' } }
  })
  if (queue !== undefined && positionals.length > 0) throw new ArgumentError('Say either files or --queue')
  if (reason !== undefined && (queue === undefined || !(UNMETERED_REASONS as readonly string[]).includes(reason))) {
    throw new ArgumentError(`--reason goes with --queue, and must be one of ${UNMETERED_REASONS.join(', ')}`)
  }
  loadEnvFile()
  const metering = new Metering(send ? openClient(process.env) : null)
  if (queue === undefined) await meterLines(metering, positionals.length > 0 ? positionals : ['-'])
  else await meterQueue(metering, queue, reason, send)
  const { events, sent, refused, left, duplicates, skipped, unreadable } = metering.tally
  const outcome = send ? `${sent} of ${events} events sent, ${refused} refused, ${left} left` : `${events} events`
  const hint = send ? '' : '; nothing was sent: --send does'
  write(`${outcome}, ${duplicates} duplicates, ${skipped} skipped, ${unreadable} unreadable${hint}`)
  return refused + left > 0 ? 1 : 0
}

export const command: Command = {
  name: 'meter',
  summary: 'shows which calls of an access log or of dead letters would be metered, or meters them',
  usage: USAGE,
  run: async args => await meter(args).catch((error: Error) => {
    throw error instanceof UsageError || error instanceof ConfigurationError ? error : toUsageError(error)
  })
}
