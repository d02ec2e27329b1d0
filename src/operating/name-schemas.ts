export interface Schema {
  title?: string
  type?: string
  $ref?: string
}

export interface Schemas {
  [name: string]: Schema
}

interface Document {
  paths?: object
  components?: { schemas?: Schemas }
}

/**
 * Moves every object schema with a title to the components, under that title, so that generated clients get named
 * types.
 */
export function nameSchemas<T extends Document>(document: T): T {
  const known = document.components?.schemas ?? {}
  const named: { [title: string]: unknown } = {}
  const place = (title: string) => ({ $ref: `#/components/schemas/${title}` })

  function walk(node: unknown): unknown {
    if (Array.isArray(node)) return node.map(walk)
    if (typeof node !== 'object' || node === null) return node
    const { $ref, ...schema } = node as Schema
    const referred = $ref === undefined ? undefined : known[$ref.slice('#/components/schemas/'.length)]
    if (referred !== undefined) return walk(referred)
    if (schema.type !== 'object' || schema.title === undefined) return eachOf(node)
    const { title } = schema
    if (named[title] === undefined) {
      named[title] = {}
      named[title] = eachOf(node)
    }
    return place(title)
  }
  const eachOf = (node: object) => Object.fromEntries(Object.entries(node).map(([key, value]) => [key, walk(value)]))

  const paths = walk(document.paths)
  return { ...document, paths, components: { ...document.components, schemas: named } } as T
}
