import { ConfigError } from '../config.ts'
import { SomebodyElseWorks } from '../database/alone.ts'
import { CannotMigrate } from '../database/migrate.ts'
import { isDatabaseAway } from '../database/refusal.ts'
import { describeError } from '../log.ts'
import { CannotOpen } from '../secrets/sealer.ts'
import { CarrierError } from '../thingspace/carrier-error.ts'

/** The command was called in a way that makes no sense: exit code 2. */
export class WrongUsage extends Error {
  override name = 'WrongUsage'
}

/** The command could not be done, for a reason that a person can fix: exit code 1. */
export class CannotDo extends Error {
  override name = 'CannotDo'
}

/** Where a command runs: what it reads, and where it writes. */
export interface Terminal {
  env: NodeJS.ProcessEnv
  say(line: string): void
  warn(line: string): void
}

/** Resolves to the exit code: 0 done, 1 failed, 2 wrong usage. */
export type Command = (args: string[], terminal: Terminal) => Promise<number>

/** A command that answers `--help` and reports every error on standard error. */
export function command(usage: string, run: Command): Command {
  return async (args, terminal) => {
    try {
      if (!args.includes('--help') && !args.includes('-h')) return await run(args, terminal)
      terminal.say(usage.trimEnd())
      return 0
    } catch (error) {
      const wrong = error instanceof WrongUsage || isParseError(error)
      terminal.warn(wrong ? `${(error as Error).message}\n--help says how it is used` : explain(error))
      return wrong ? 2 : 1
    }
  }
}

/** Runs it with this process's arguments and environment, and sets the exit code. */
export async function runHere(run: Command): Promise<void> {
  process.exitCode = await run(process.argv.slice(2), {
    env: process.env,
    say: line => process.stdout.write(`${line}\n`),
    warn: line => process.stderr.write(`${line}\n`),
  })
}

/** The first argument, which must be one of these. */
export function readAction<Action extends string>(args: readonly string[], actions: readonly Action[]): Action {
  const [first] = args
  const action = actions.find(known => known === first)
  if (action === undefined) {
    throw new WrongUsage(`say what to do: ${actions.join(', ')}`)
  }
  return action
}

/** What went wrong, without the secrets and identifiers that messages from libraries may quote. */
export function explain(error: unknown): string {
  if (
    error instanceof CannotDo ||
    error instanceof ConfigError ||
    error instanceof SomebodyElseWorks ||
    error instanceof CannotOpen
  ) {
    return error.message
  }
  if (error instanceof CarrierError) {
    const latched = error.kind === 'login-latched' ? '\nonce they are right: npm run listener -- clear-login-latch' : ''
    return error.message + (error.errorMessage === null ? '' : `: ${error.errorMessage}`) + latched
  }
  const root = error instanceof Error && error.cause !== undefined ? error.cause : error
  const { code } = describeError(root) as { code?: string }
  if (isDatabaseAway(root)) return `the database can't be used (${code}); see DATABASE_URL`
  if (error instanceof CannotMigrate) return error.message
  return `failed: ${JSON.stringify(describeError(error))}`
}

/** Rows with their columns aligned. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

function isParseError(error: unknown): boolean {
  return String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS')
}
