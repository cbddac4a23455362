import { USAGE } from '../simulate/options.js'
import type { Command } from './command.js'

export const command: Command = {
  name: 'simulate',
  summary: 'computes for any rate how much waits, how many calls are made, and what they cost',
  usage: USAGE,
  run: async args => await (await import('../simulate/main.js')).simulate(args)
}
