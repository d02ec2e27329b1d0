import { runHere } from './command-line.ts'
import { forgetCommand } from './forget-command.ts'

await runHere(forgetCommand)
