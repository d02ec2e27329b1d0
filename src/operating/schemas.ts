import Type, { type TSchema } from 'typebox'

/** RFC 3339, UTC, milliseconds. */
export const Time = Type.String({ format: 'date-time', examples: ['2026-11-23T18:47:00.000Z'] })

export function Maybe<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()])
}
