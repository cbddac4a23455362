import type { PlatformFaultPlan, PlatformFaultRule } from './fault-plan.js'
import type { MeteredEvent, PlatformLedger } from './ledger.js'

export type ClientStanding = 'entitled' | 'denied'

/** Everything that the platform holds, and how to change it. */
export interface PlatformSandboxState {
  /** Clients not named here are unknown, and so denied. */
  setClients (clients: Record<string, ClientStanding>): void
  /** From now on another key is the right one. */
  setApiKey (key: string): void
  faults: {
    /** @throws TypeError */
    set (plan: PlatformFaultPlan | PlatformFaultRule[]): void
    list (): PlatformFaultRule[]
    clear (): void
  }
  ledger (): PlatformLedger
  /** The recorded events, oldest first. */
  events (): MeteredEvent[]
  /** Forgets events, ledger, clients and faults. */
  reset (): void
}

/** A metering platform on loopback. */
export interface PlatformSandbox extends PlatformSandboxState {
  url: string
  /** Base URLs of its APIs, as REVENIUM_PLATFORM_API has them. */
  urls: { 'v1-meter': string, 'v1-event': string, v2: string }
  /** Cuts every connection. May be called twice. */
  close (): Promise<void>
}
