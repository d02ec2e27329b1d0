import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'

/** Validates values as they are. The compiler that comes with the type provider would accept `limit=true` as 1. */
export function compileExactly({ schema }: { schema: TSchema }) {
  const compiled = Compile(schema)
  return (value: unknown) => (compiled.Check(value) ? { value } : { error: compiled.Errors(value) as unknown as Error })
}
