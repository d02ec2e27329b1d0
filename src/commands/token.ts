import { runHere } from './command-line.ts'
import { tokenCommand } from './token-command.ts'

await runHere(tokenCommand)
