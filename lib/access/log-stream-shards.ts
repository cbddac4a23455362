import type { Application, LogStreamShards } from '../../schemas/applications.js'
import { literalLength, matchesGlob } from './glob.js'

const ANY = '*'

interface Rule {
  glob: string
  /** Whether it is a glob of `logGroup:logStream`; neither name can hold a colon. */
  namesGroup: boolean
  shards: number
}

/**
 * Reads the entries of LOG_STREAM_SHARDS: `number`, or `glob=number`, whose glob may hold "=".
 * @returns null when a glob stands twice
 */
export function readLogStreamShards (entries: readonly string[]): LogStreamShards | null {
  const rules = entries.map((entry): [glob: string, shards: number] => {
    const equals = entry.lastIndexOf('=')
    return [equals === -1 ? ANY : entry.slice(0, equals).trimEnd(), Number(entry.slice(equals + 1))]
  })
  return new Set(rules.map(([glob]) => glob)).size < rules.length ? null : Object.fromEntries(rules)
}

/** The narrowest glob first; none when no log stream is split. */
function toRules (shards: LogStreamShards): Rule[] {
  const rules = Object.entries(shards).map(([glob, count]) => ({ glob, namesGroup: glob.includes(':'), shards: count }))
  if (rules.every(({ shards }) => shards === 1)) return []
  return rules.sort((a, b) => literalLength(b.glob) - literalLength(a.glob))
}

/** Says which log streams are split, and over how many. */
export class LogStreamSplitter {
  readonly #rules: Rule[]
  readonly #ofApplication = new WeakMap<Application, Rule[]>()

  /** @param shards for applications that have none of their own */
  constructor (shards: LogStreamShards) {
    this.#rules = toRules(shards)
  }

  /** Over how many log streams the log events for this one are spread; 1 for one that is not split. */
  shardsOf (application: Application, logGroup: string, logStream: string): number {
    for (const { glob, namesGroup, shards } of this.#rulesOf(application)) {
      if (matchesGlob(glob, namesGroup ? `${logGroup}:${logStream}` : logStream)) return shards
    }
    return 1
  }

  #rulesOf (application: Application): Rule[] {
    if (application.logStreamShards === undefined) return this.#rules
    let rules = this.#ofApplication.get(application)
    if (rules === undefined) {
      rules = toRules(application.logStreamShards)
      this.#ofApplication.set(application, rules)
    }
    return rules
  }
}
