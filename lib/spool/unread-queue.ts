/**
 * A record of a version that the process which took it does not know waits in a queue of its own, beside the queue of its
 * destination and named after both: it holds up no other record, and a process that knows the version finds it.
 */

/** No destination holds it. */
const SEPARATOR = '\n'

/** The queue for the records of a destination that have this version. */
export function unreadQueue (destination: string, version: number): string {
  return `${destination}${SEPARATOR}${version}`
}

/** The destination of a queue, and the version of its records when it is a queue of unread ones, else null. */
export function parseQueue (queue: string): { destination: string, version: number | null } {
  const end = queue.indexOf(SEPARATOR)
  return end === -1 ? { destination: queue, version: null } : { destination: queue.slice(0, end), version: Number(queue.slice(end + 1)) }
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
