import type { MonotonicMs } from '../../schemas/common.js'
import type { Lease, Spool } from '../spool/spool.js'

export interface LeaseHolderOptions {
  spool: Pick<Spool, 'extend'>
  lease: Lease
  leaseMs: number
  /** When the spool was asked for the lease, so before the lease began. */
  takenAt: MonotonicMs
  now: () => MonotonicMs
  onSpoolError: (error: unknown) => void
}

export interface LeaseHolder {
  /** Extends the lease, unless that was just done. @returns whether it is held */
  extend (): Promise<boolean>
  stop (): void
}

/**
 * Extends a lease for as long as its delivery takes. It goes by the clock of this process, as a process that stood
 * still for longer than the lease has lost it, and by what the spool says, as others may have its records by the clock
 * of the store.
 */
export function holdLease ({ spool, lease, leaseMs, takenAt, now, onSpoolError }: LeaseHolderOptions): LeaseHolder {
  const everyMs = leaseMs / 3
  let triedAt = takenAt
  let heldUntil = takenAt + leaseMs
  let isLost = false
  const extend = async (): Promise<boolean> => {
    const askedAt = now()
    if (isLost || askedAt >= heldUntil) return false
    if (askedAt - triedAt < everyMs / 2) return true
    triedAt = askedAt
    try {
      if (await spool.extend(lease)) heldUntil = askedAt + leaseMs
      else isLost = true
    } catch (error) {
      onSpoolError(error)
    }
    return !isLost && now() < heldUntil
  }
  const timer = setInterval(extend, everyMs).unref()
  return { extend, stop: () => clearInterval(timer) }
}
