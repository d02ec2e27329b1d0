import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'

/** Checks what came as it is. The compiler that comes with the type provider would take `limit=true` for 1. */
export function compileExactly({ schema }: { schema: TSchema }) {
  const compiled = Compile(schema)
  return (value: unknown) => (compiled.Check(value) ? { value } : { error: compiled.Errors(value) as unknown as Error })
}
