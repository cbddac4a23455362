/**
 * The records of a destination wait in one queue for each application, so that what an application stores is told from
 * what others do. A record of a version that the process which took it does not know waits in a queue of its own,
 * beside that queue: it holds up no other record, and a process that knows the version finds it.
 */
export interface QueueName {
  destination: string
  /** Empty when the name does not say it. */
  application: string
  /** Of a queue of unread records, their version; else null. */
  version: number | null
}

/** No destination and no application holds it. */
const SEPARATOR = '\n'

/**
 * `destination`, `destination\nversion`, `destination\n\napplication` or `destination\nversion\napplication`. In Redis
 * most queues have a name without the application, which stands beside it.
 */
export function queueName (destination: string, application: string, version: number | null = null): string {
  if (application !== '') return `${destination}${SEPARATOR}${version ?? ''}${SEPARATOR}${application}`
  return version === null ? destination : `${destination}${SEPARATOR}${version}`
}

export function parseQueueName (queue: string): QueueName {
  const [destination = '', version = '', application = ''] = queue.split(SEPARATOR)
  return { destination, application, version: version === '' ? null : Number(version) }
}

/** Unread records by their version. */
export function byVersion<Unread extends { version: number }> (unread: readonly Unread[]): Map<number, Unread[]> {
  const groups = new Map<number, Unread[]>()
  for (const record of unread) {
    const group = groups.get(record.version)
    if (group === undefined) groups.set(record.version, [record])
    else group.push(record)
  }
  return groups
}
