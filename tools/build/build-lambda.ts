import { writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { bundleFunctions } from './lambda/bundle.js'
import { measureColdStart } from './lambda/cold-start.js'
import { licencesOf } from './lambda/licences.js'

const FOLDER = join(process.cwd(), 'dist/lambda')

/** Builds the functions, and says how large they are and how long a cold start takes to load them. */
async function main (): Promise<void> {
  const bundles = await bundleFunctions(FOLDER)
  await writeFile(join(FOLDER, 'LICENSES.txt'), await licencesOf(bundles.flatMap(({ modules }) => modules)))
  for (const { name, zip, zipBytes, codeBytes } of bundles) {
    const { loadMs, totalMs } = await measureColdStart(zip, { node: process.env.LAMBDA_NODE })
    const sizes = `${kilobytes(zipBytes)} zipped, ${kilobytes(codeBytes)} of code`
    process.stdout.write(
      `${name.padEnd(10)} ${relative(process.cwd(), zip)}  ${sizes}, cold start ${totalMs.toFixed(0)} ms of which ` +
        `${loadMs.toFixed(1)} ms are its code\n`
    )
  }
}

function kilobytes (bytes: number): string {
  return `${(bytes / 1_000).toFixed(0)} kB`
}

main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
})
