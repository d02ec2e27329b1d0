import { runHere } from './command-line.ts'
import { migrateCommand } from './migrate-command.ts'

await runHere(migrateCommand)
