import { spawnSync } from 'node:child_process'
import { closeSync, cpSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const BALLAST = 'ballast'
const BLOCKS = [1_048_576, 4_096]
const REFILL_MS = 50

/** A small file system in memory that can be filled to the last byte. */
export class Disk {
  readonly path: string
  #filling: NodeJS.Timeout | null = null
  #ballast = -1
  #mounted = true
  readonly #unmount = (): void => this.#umount()

  private constructor (path: string) {
    this.path = path
    process.on('exit', this.#unmount)
  }

  /** Null where this process may not mount one. */
  static mount (path: string, bytes: number): Disk | null {
    mkdirSync(path, { recursive: true })
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return null
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'chaos', path], { stdio: 'ignore' })
    return status === 0 ? new Disk(path) : null
  }

  /** Takes all free bytes, and the bytes that are freed meanwhile. */
  fill (): void {
    this.#ballast = openSync(join(this.path, BALLAST), 'w')
    this.#grow()
    this.#filling = setInterval(() => this.#grow(), REFILL_MS)
  }

  free (): void {
    if (this.#filling === null) return
    clearInterval(this.#filling)
    this.#filling = null
    closeSync(this.#ballast)
    rmSync(join(this.path, BALLAST))
  }

  /** @param keepIn folder that gets a copy of the files; absent: no file is kept */
  close (keepIn?: string): void {
    this.free()
    if (keepIn !== undefined) cpSync(this.path, keepIn, { recursive: true, filter: path => !path.endsWith('.lock') })
    this.#umount()
    process.off('exit', this.#unmount)
  }

  #umount (): void {
    if (!this.#mounted) return
    this.#mounted = false
    spawnSync('umount', ['--lazy', this.path], { stdio: 'ignore' })
  }

  #grow (): void {
    for (const size of BLOCKS) {
      const block = Buffer.alloc(size)
      try {
        while (writeSync(this.#ballast, block) === size);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    }
  }
}
