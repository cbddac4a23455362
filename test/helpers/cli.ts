import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { BUILD } from '../../tools/shared/root.js'
import type { Teardown } from './teardown.js'

export interface CliResult {
  code: number | null
  stdout: string
  stderr: string
}

/**
 * Runs `cloudwatch-postman` as a process that knows nothing but these variables.
 * @param folder where it is started, and where it would find files of AWS
 */
export async function runCli (
  t: Teardown, args: string[], { folder, environment = {} }: { folder: string, environment?: Record<string, string> }
): Promise<CliResult> {
  const child = spawn(process.execPath, [join(BUILD, 'tools/cli/main.js'), ...args], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      ...environment
    }
  })
  t.teardown(() => child.kill('SIGKILL'))
  const result: CliResult = { code: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => { result.stdout += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { result.stderr += text })
  const [code] = await once(child, 'close') as [number | null]
  return { ...result, code }
}
