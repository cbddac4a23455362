/** The settings that the gateway and the Lambda functions have in common. Nothing is imported: functions stay small. */

/** The APIs of the metering platform. */
export const METERING_PROFILES = ['v1-meter', 'v1-event', 'v2'] as const
export type MeteringProfile = typeof METERING_PROFILES[number]
export const DEFAULT_METERING_PROFILE: MeteringProfile = 'v1-meter'

/** Whether a client whose entitlement nobody knows is refused, or let through. */
export const FAIL_MODES = ['closed', 'open'] as const
export type FailMode = typeof FAIL_MODES[number]
export const DEFAULT_FAIL_MODE: FailMode = 'closed'

/** The platform's answers about a client. */
export const VERDICTS = ['entitled', 'denied'] as const

export const DEFAULT_VERDICT_AGES = {
  /** Up to this age an entitlement counts as new. */
  entitledMs: 30_000,
  /** Up to this age a denial counts as new; short, for the client may just have paid. */
  deniedMs: 5_000,
  /** For this much longer an entitlement is answered at once, while the platform is asked again. */
  staleMs: 30_000,
  /** Up to this age a verdict stands in for a platform that does not answer. */
  staleIfErrorMs: 600_000
}
export type VerdictAges = typeof DEFAULT_VERDICT_AGES
