import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSteppedClock as createClock, type SteppedClock } from '../../tools/shared/stepped-clock.js'
import type { Teardown } from './teardown.js'

export { canStepClocks, type SteppedClock } from '../../tools/shared/stepped-clock.js'

/** Why a test is skipped where no clock can be set. */
export const NO_STEPS = 'a clock is set by a preloaded library, which a C compiler makes on Linux'

/** A clock for processes of one test. @throws Error where there is no C compiler */
export function createSteppedClock (t: Teardown): SteppedClock {
  const folder = mkdtempSync(join(tmpdir(), 'postman-clock-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return createClock(folder, 'process')
}
