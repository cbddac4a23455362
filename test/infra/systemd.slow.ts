import { execFile as execFileWithCallback } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { ConfigSchema } from '../../schemas/config.js'
import { ROOT } from '../../tools/shared/root.js'

const execFile = promisify(execFileWithCallback)
const NAME = 'cloudwatch-postman.service'
/** Of 100, which is no protection at all; systemd calls anything below 20 safe. */
const MAX_EXPOSURE = 20
const skip = process.platform === 'linux' ? false : 'systemd is a program of Linux'

const text = await readFile(join(ROOT, 'infra', NAME), 'utf8')
const settings = new Map(text.split('\n').filter(line => /^[A-Z]\w+=/.test(line)).map(line => {
  const [name, ...value] = line.split('=')
  return [name!, value.join('=')] as const
}))
const folder = await mkdtemp(join(tmpdir(), 'postman-systemd-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))
const unit = join(folder, NAME)
// systemd looks whether the program is there.
await writeFile(unit, text.replace('ExecStart=/usr/bin/node', `ExecStart=${process.execPath}`))

/** What systemd-analyze writes; it writes to either output. */
async function analyze (...args: string[]): Promise<{ code: number, output: string }> {
  const env = { ...process.env, SYSTEMD_COLORS: '0', SYSTEMD_PAGER: '' }
  return await execFile('systemd-analyze', args, { env }).then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    ({ code, stdout, stderr }: { code: number, stdout: string, stderr: string }) => ({ code, output: stdout + stderr })
  )
}

t.test('systemd reads every line of the unit', { skip }, async t => {
  const { code, output } = await analyze('verify', '--man=no', '--recursive-errors=no', unit)
  t.equal(code, 0)
  t.same(output.split('\n').filter(line => line.includes(NAME)), [], 'not a word about it')
  const wrong = join(folder, 'wrong.service')
  await writeFile(wrong, text.replace('=/usr/bin/node', '=/nowhere/node').replace('Type=exec', 'Typ=exec'))
  const answer = await analyze('verify', '--man=no', '--recursive-errors=no', wrong)
  t.match(answer.output, /\/nowhere\/node/)
  t.match(answer.output, /Typ/)
})

t.test(`its exposure is below ${MAX_EXPOSURE / 10}`, { skip }, async t => {
  const { code, output } = await analyze('security', '--offline=true', `--threshold=${MAX_EXPOSURE}`, unit)
  const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(output) ?? []
  t.comment(`exposure ${exposure}`)
  t.equal(code, 0, output)
  t.ok(Number(exposure) <= MAX_EXPOSURE / 10)
})

t.test('it gives the gateway the time, the files and the addresses that it needs', async t => {
  const grace = Number((ConfigSchema.properties.SHUTDOWN_GRACE_MS as { default: number }).default)
  t.ok(Number(settings.get('TimeoutStopSec')) * 1_000 >= grace + 5_000)
  t.ok(Number(settings.get('LimitNOFILE')) >= 65_536)
  t.equal(settings.get('KillMode'), 'mixed', 'the primary ends its web processes itself')
  t.match(settings.get('RestrictAddressFamilies'), /AF_NETLINK/, 'Fastify names the addresses that it listens on')
  t.notMatch(text, /^SystemCallFilter=~.*@resources/m, 'the thread that delivers lowers its own priority')
  t.notOk(settings.has('MemoryDenyWriteExecute'), 'V8 compiles to memory')
  t.match(ConfigSchema.properties.DATA_DIR.default, /^\.\//, 'the spool is in the folder in which the gateway starts')
  t.equal(settings.get('WorkingDirectory'), `/var/lib/${settings.get('StateDirectory')}`)
})

t.test('a reload without APPS_FILE fails, in place of ending the gateway', async t => {
  const [, script] = /^\/bin\/sh -c '(.*)'$/.exec(settings.get('ExecReload')!)!
  const command = script!.replaceAll('$$', '$').replace('kill -HUP $MAINPID', 'echo reloads')
  await t.rejects(execFile('/bin/sh', ['-c', command], { env: {} }))
  const { stdout } = await execFile('/bin/sh', ['-c', command], { env: { APPS_FILE: '/etc/applications.json' } })
  t.equal(stdout, 'reloads\n')
})
