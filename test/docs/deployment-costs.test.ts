import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PRICES } from '../../lib/usage/aws-prices.js'
import { SELF_METRICS } from '../../schemas/self-metrics.js'
import { ROOT } from '../../tools/shared/root.js'
import { readTemplate, resolveTemplate, type Stack } from '../helpers/cloudformation.js'
import { STACKS } from '../helpers/gateway-stacks.js'

const HOURS = 730
const page = readFileSync(join(ROOT, 'docs/deployment.md'), 'utf8')

interface Line { name: string, price: number, idle: number, idleDollars: number, busy: number, busyDollars: number }

function tableOf (file: string): { lines: Line[], sums: number[] } {
  const section = page.split(`\n\`infra/${file}\`:\n`)[1]!.split('\n\n')[0]!.trim()
  const rows = section.split('\n').slice(2).map(row => row.split('|').slice(1, -1).map(cell => cell.trim()))
  const sums = rows.pop()!.filter(cell => /\d/.test(cell)).map(cell => Number(cell.replaceAll('*', '')))
  const lines = rows.map(([name, ...cells]) => {
    const [price, idle, idleDollars, busy, busyDollars] = cells.map(Number) as [number, number, number, number, number]
    return { name: name!, price, idle, idleDollars, busy, busyDollars }
  })
  return { lines, sums }
}

const propertiesOf = (stack: Stack, type: RegExp): Array<Record<string, any>> =>
  Object.values(stack.resources).filter(({ Type }) => type.test(Type)).map(({ Properties }) => Properties!)
const watchedBy = (alarm: Record<string, any>): number => alarm.Metrics === undefined ? 1 : alarm.Metrics.length - 1

for (const file of ['gateway.yaml', 'gateway-single.yaml'] as const) {
  const { lines, sums } = tableOf(file)
  const stack = resolveTemplate(readTemplate(file), STACKS[file][0]!)
  const idleOf = (name: string): number => lines.find(line => line.name.startsWith(name))!.idle

  t.test(`${file}: each line is its amount times its price, and the sums are theirs`, async t => {
    t.ok(lines.length >= 10)
    for (const { name, price, idle, idleDollars, busy, busyDollars } of lines) {
      t.ok(Math.abs(idle * price - idleDollars) < 0.00501, `${name}, idle: ${idle * price}`)
      t.ok(Math.abs(busy * price - busyDollars) < 0.00501, `${name}, busy: ${busy * price}`)
    }
    const sum = (key: 'idleDollars' | 'busyDollars'): number =>
      Number(lines.reduce((total, line) => total + line[key], 0).toFixed(2))
    t.same(sums, [sum('idleDollars'), sum('busyDollars')])
  })

  t.test(`${file}: the amounts are those of the template`, async t => {
    t.equal(idleOf('Secrets Manager'), propertiesOf(stack, /SecretsManager::Secret$/).length)
    const alarms = propertiesOf(stack, /CloudWatch::Alarm$/).reduce((sum, alarm) => sum + watchedBy(alarm), 0)
    const ofTargetTracking = 2 * propertiesOf(stack, /ScalingPolicy$/)
      .filter(({ PolicyType }) => PolicyType === 'TargetTrackingScaling').length
    t.equal(idleOf('alarms'), alarms + ofTargetTracking)
    t.equal(idleOf('the gateway\'s own metrics'), Object.keys(SELF_METRICS).length)
    t.equal(idleOf('load balancer, hours'), HOURS)
    const publishers = file === 'gateway.yaml' ? 2 : 1
    t.equal(idleOf('the gateway\'s own metrics, 1,000 calls'), publishers * HOURS * 60 / 1_000)
  })

  t.test(`${file}: the prices of CloudWatch are those that the gateway estimates with`, async t => {
    const priceOf = (name: string): number => lines.find(line => line.name.startsWith(name))!.price
    t.equal(priceOf('CloudWatch Logs'), PRICES.LOG_BYTE * 2 ** 30)
    t.equal(priceOf('the gateway\'s own metrics'), Number((PRICES.SERIES_DAY * 30).toFixed(2)))
    t.equal(priceOf('the gateway\'s own metrics, 1,000 calls'), PRICES.PUT_METRIC_DATA_CALL * 1_000)
  })
}

t.test('gateway.yaml: the hours of Fargate are those of the tasks that always run', async t => {
  const { lines } = tableOf('gateway.yaml')
  const { Parameters } = readTemplate('gateway.yaml')
  const { resources } = resolveTemplate(readTemplate('gateway.yaml'), STACKS['gateway.yaml'][0]!)
  function hoursOf (property: 'Cpu' | 'Memory'): number {
    const units = ['Web', 'Worker'].map(name =>
      Number(Parameters[`${name}Min`]!.Default) * Number(resources[`${name}Task`]!.Properties![property]))
    return units.reduce((sum, count) => sum + count, 0) / 1_024 * HOURS
  }
  t.equal(lines[0]!.idle, hoursOf('Cpu'))
  t.equal(lines[1]!.idle, hoursOf('Memory'))
})
