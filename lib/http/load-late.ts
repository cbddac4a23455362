const waiting = new Set<() => unknown>()

/**
 * What a start can do without.
 * @param load called once: by the first call of what is returned, or by `loadWaiting`
 * @returns gives what `load` has given
 */
export function loadLate<T> (load: () => T): () => T {
  let loaded: { value: T } | undefined
  const get = (): T => {
    loaded ??= { value: load() }
    waiting.delete(get)
    return loaded.value
  }
  waiting.add(get)
  return get
}

/** Loads what nobody has needed yet, so that no request has to wait for it. */
export function loadWaiting (): void {
  for (const get of waiting) get()
}
