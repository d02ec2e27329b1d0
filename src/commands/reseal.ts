import { runHere } from './command-line.ts'
import { resealCommand } from './reseal-command.ts'

await runHere(resealCommand)
