import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'

const buildSerializer = SerializerSelector()
type Factory = typeof buildSerializer

const compiled = new WeakMap<object, ReturnType<ReturnType<typeof buildSerializer>>>()

/**
 * Compiles each schema of an answer once. Most routes share theirs for errors, and Fastify would compile it anew for
 * each route and status: a third of what a start costs. Our schemas are constants that refer to nothing outside, so
 * one function serves all.
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
