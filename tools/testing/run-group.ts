/** Runs the test files of TEST_FILES, one after the other, in this one process. */
import { once } from 'node:events'
import { delimiter } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'

let teardowns: Array<() => unknown> = []
// What a file opens for all of its tests is closed at the end of the file, and not of the process.
t.teardown = handler => { teardowns.push(handler) }
// Each test has a time limit of its own, and whoever has started this process one for all of them.
t.setTimeout(0)

for (const path of process.env.TEST_FILES!.split(delimiter)) {
  await import(pathToFileURL(path).href)
  if (!t.idle) await once(t, 'idle')
  for (const teardown of teardowns.reverse()) await teardown()
  teardowns = []
}
