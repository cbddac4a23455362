import type { PlatformFaultPlan, PlatformFaultRule } from './platform-fault-plan.js'
import type { MeteredEvent, PlatformLedger } from './platform-ledger.js'

export type ClientStanding = 'entitled' | 'denied'

/** The content of the platform, and the methods that change it. */
export interface PlatformSandboxState {
  /** Sets the clients; a client that is not among them is unknown, and so denied. */
  setClients (clients: Record<string, ClientStanding>): void
  /** Rotates the key that the platform takes. */
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
