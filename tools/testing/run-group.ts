/** Runs the test files of TEST_FILES, one after the other, in this one process. */
import asyncHooks from 'node:async_hooks'
import { once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import { delimiter } from 'node:path'
import { pathToFileURL } from 'node:url'

// tap would follow every promise of the process, at a cost to each, to tell which test an error belongs to that nobody
// has caught. Without it such an error ends the process, and so fails the group.
const unused: asyncHooks.AsyncHook = { enable: () => unused, disable: () => unused }
asyncHooks.createHook = () => unused
syncBuiltinESMExports()
const { default: t } = await import('tap')

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
