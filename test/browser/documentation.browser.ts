import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startGateway } from '../helpers/app.js'
import { startBrowser } from '../helpers/browser.js'

t.test('Swagger UI works under the policy that its pages are served with', async t => {
  const { url } = await startGateway(t)
  const browser = await startBrowser(t)
  const page = await browser.newPage({ viewport: { width: 1200, height: 1400 } })
  const problems: string[] = []
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text())
  })
  page.on('pageerror', error => problems.push(error.message))
  page.on('requestfailed', request => problems.push(`${request.url()} failed`))

  await page.goto(`${url}/documentation`)
  await page.locator('#operations-telemetry-putLogEvents').waitFor()
  t.equal(await page.locator('.opblock').count() > 5, true)
  await page.locator('#operations-health-getLiveness .opblock-summary').click()
  await page.locator('#operations-health-getLiveness .try-out__btn').click()
  await page.locator('#operations-health-getLiveness .execute').click()
  await page.locator(
    '#operations-health-getLiveness .live-responses-table .response-col_status', { hasText: '200' }
  ).waitFor()
  const folder = process.env.SCREENSHOTS
  if (folder !== undefined) {
    await mkdir(folder, { recursive: true })
    await page.screenshot({ path: join(folder, 'documentation.png') })
  }
  t.same(problems, [])
})
