/** The second half of `npm run build`. */
import { join } from 'node:path'
import { bundleApp } from './app-bundle.js'
import { ROOT } from './processes.js'

await bundleApp(join(ROOT, 'dist'))
