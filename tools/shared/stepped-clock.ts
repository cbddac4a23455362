import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './root.js'

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

/**
 * @param folder where its files are, and those of other clocks with other names
 * @throws Error where there is no C compiler
 */
export function createSteppedClock (folder: string, name: string): SteppedClock {
  const library = join(folder, 'stepped-clock.so')
  if (!existsSync(library)) {
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, join(ROOT, 'tools/shared/stepped-clock.c')])
  }
  const file = join(folder, `${name}.clock`)
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
