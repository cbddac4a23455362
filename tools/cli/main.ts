#!/usr/bin/env node
/** `cloudwatch-postman`, the program of the package: commands.ts has its commands. */
import { runCommandLine } from './commands.js'

runCommandLine(process.argv.slice(2)).then(exitCode => {
  if (exitCode !== undefined) process.exitCode = exitCode
})
