import { CompiledQuery, type Kysely } from 'kysely'
import type { Statement } from './statement.ts'
import type { Tables } from './tables.ts'

/** A statement that changes rows and returns none, with its rows. */
export interface Write {
  statement: Statement
  rows: readonly object[]
}

/**
 * Several writes as one statement: for a lone callback, sending and starting five costs more than writing the rows. All
 * of them see the tables as they were before, so none may depend on another; those without rows are left out.
 */
export async function writeTogether(db: Kysely<Tables>, writes: readonly Write[]): Promise<void> {
  const needed = writes.filter(({ rows }) => rows.length > 0)
  if (needed.length === 0) return
  const values = needed.flatMap(({ statement, rows }) => statement.values([rows]))
  await db.executeQuery(CompiledQuery.raw(textOf(needed.map(({ statement }) => statement)), values))
}

const numbers = new Map<Statement, number>()
const texts = new Map<string, string>()

/** One text for each combination, so that PostgreSQL parses and plans it once per connection. */
function textOf(statements: readonly Statement[]): string {
  const name = statements.map(numberOf).join()
  const known = texts.get(name) ?? joined(statements)
  texts.set(name, known)
  return known
}

function numberOf(statement: Statement): number {
  const number = numbers.get(statement) ?? numbers.size
  numbers.set(statement, number)
  return number
}

function joined(statements: readonly Statement[]): string {
  let parameters = 0
  const parts = statements.map((statement, at) => {
    const text = statement.text(parameters + 1)
    parameters += statement.parameters
    return `w${at} as (${text})`
  })
  return `with ${parts.join(', ')} select`
}
