import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'

const buildSerializer = SerializerSelector()
type Factory = typeof buildSerializer

const compiled = new WeakMap<object, ReturnType<ReturnType<typeof buildSerializer>>>()

/**
 * Compiles each response schema once. Most routes share theirs for errors, and Fastify would compile it again for each
 * route and status, which is a third of the start. Our schemas are constants that refer to nothing outside, so one
 * function serves all.
 */
export const serializeOnce: Factory = (...parts) => {
  const compile = buildSerializer(...parts)
  return route => {
    const schema = route.schema as object
    const known = compiled.get(schema)
    if (known !== undefined) return known
    const serialize = compile(route)
    compiled.set(schema, serialize)
    return serialize
  }
}
