import type { Check } from '../check.js'
import { ok, warning } from '../report.js'

/** Each connection of a page is an open file, and is kept for KEEP_ALIVE_TIMEOUT_MS. */
const FEW_OPEN_FILES = 8_192

interface Report {
  userLimits?: { open_files?: { soft: number | 'unlimited' } }
}

/** Node raises the limit of a process to the most that it may have, here as in the gateway. */
function openFilesLimit (): number | null {
  // Else the report would ask for the name of each address that something is connected to.
  Object.assign(process.report, { excludeNetwork: true })
  const { userLimits } = process.report.getReport() as Report
  const soft = userLimits?.open_files?.soft
  if (soft === undefined) return null
  return soft === 'unlimited' ? Infinity : Number(soft)
}

/** How many connections a process may have at once. */
export const openFiles: Check = {
  name: 'open-files',
  async run () {
    const limit = openFilesLimit()
    if (limit === null) return [ok('open files', 'this system has no limit')]
    const finding = limit === Infinity ? 'unlimited' : `${limit}, so about as many connections at once`
    return [limit >= FEW_OPEN_FILES
      ? ok('open files', finding)
      : warning('open files', finding, 'Raise the hard limit: LimitNOFILE of systemd, ulimits of a container.')]
  }
}
