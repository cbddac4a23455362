import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../../tools/shared/root.js'
import type { Teardown } from './teardown.js'

/** The wall clock of a process that is started with its environment; the monotonic clock is left alone. */
export interface SteppedClock {
  environment: { LD_PRELOAD: string, CLOCK_STEP_FILE: string }
  /** Whole seconds from the true time. */
  set (byMs: number): void
}

/** Whether there are a C compiler and preloading. */
export function canStepClocks (): boolean {
  return process.platform === 'linux' && spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0
}

/** @throws Error where there is no C compiler */
export function createSteppedClock (t: Teardown): SteppedClock {
  const folder = mkdtempSync(join(tmpdir(), 'postman-clock-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const library = join(folder, 'stepped-clock.so')
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, join(ROOT, 'test/helpers/stepped-clock.c')])
  const file = join(folder, 'step')
  const set = (byMs: number): void => {
    const step = Buffer.alloc(8)
    step.writeBigInt64LE(BigInt(byMs))
    const descriptor = openSync(file, 'r+')
    writeSync(descriptor, step, 0, 8, 0)
    closeSync(descriptor)
  }
  closeSync(openSync(file, 'w'))
  set(0)
  return { environment: { LD_PRELOAD: library, CLOCK_STEP_FILE: file }, set }
}
