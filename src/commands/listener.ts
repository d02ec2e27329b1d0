import { runHere } from './command-line.ts'
import { listenerCommand } from './listener-command.ts'

await runHere(listenerCommand)
