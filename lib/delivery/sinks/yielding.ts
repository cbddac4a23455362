import { setImmediate as turn } from 'node:timers/promises'

/** Visits every element, and lets the rest of the process run after each slice of `size` elements. */
export async function forEachYielding<Element> (
  elements: readonly Element[], size: number, visit: (element: Element) => void
): Promise<void> {
  for (let start = 0; start < elements.length; start += size) {
    if (start > 0) await turn()
    for (const element of elements.slice(start, start + size)) visit(element)
  }
}
