import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chromium, type Browser } from 'playwright-core'
import type { Teardown } from './teardown.js'
import { listen } from './http-answer.js'
import { ROOT } from '../../tools/shared/root.js'

const ARGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'
]
const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** The installed Chromium, closed with the test. */
export async function startBrowser (t: Teardown): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ARGS })
  t.teardown(() => browser.close())
  return browser
}

/** A web server with the one page of the tests; another origin than the gateway's, and another site. */
export async function servePage (t: Teardown): Promise<string> {
  const page = await readFile(join(ROOT, 'test/browser/page.html'))
  const url = await listen(t, (_request, response) =>
    response.setHeader('Content-Type', 'text/html; charset=utf-8').end(page))
  return url.replace('127.0.0.1', 'localhost')
}
