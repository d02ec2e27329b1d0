import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifySwaggerUiOptions } from '@fastify/swagger-ui'
import { completeOpenApi, type Described } from './complete-openapi.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Parts of the schema that are documentation only, and validate nothing. */
    described?: { body: object }
  }
}

/**
 * The page that shows it. As usual for it, but that it asks nothing of elsewhere, and does not insist on HTTPS: over HTTP,
 * under any name but localhost, it would stay empty.
 */
export const docs: FastifySwaggerUiOptions = {
  routePrefix: '/docs',
  staticCSP: {
    'default-src': "'self'",
    'base-uri': "'self'",
    'font-src': "'self' data:",
    'frame-ancestors': "'self'",
    'img-src': "'self' data:",
    'object-src': "'none'",
    'script-src': "'self'",
    'script-src-attr': "'none'",
    'style-src': "'self' 'unsafe-inline'",
  },
}

export const openApi: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'ThingSpace callback receiver',
      version: '0.1.0',
      description:
        'Receives ThingSpace eSIM callbacks and says what state each profile is in. Marks after facts about the carrier: ' +
        '[DOC] stated by Verizon, [QUOTE] Verizon quoted by others, [OBS] measured by others, [INF] inferred, ' +
        '[CONFLICT] sources disagree.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'callbacks', description: 'What ThingSpace posts' },
      { name: 'activations', description: 'What was asked of ThingSpace' },
      { name: 'profiles', description: 'What is true now' },
      { name: 'summary', description: 'How many of each there are' },
      { name: 'changes', description: 'Every change, in order' },
      { name: 'health', description: 'Whether it works' },
    ],
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'made with `npm run token -- create`; x-scope of each operation names what it must allow',
        },
      },
    },
  },
  // What a route does not say in its schema: the scope that its guard requires, and a body that is read by hand.
  transform: ({ schema, url, route }) => {
    const { scope, described } = route.config ?? {}
    return {
      schema: { ...schema, ...described, ...(scope === undefined ? {} : { 'x-scope': scope }) } as typeof schema,
      url,
    }
  },
  transformObject: document => {
    const described = 'openapiObject' in document ? document.openapiObject : document.swaggerObject
    return completeOpenApi(described as Described) as ReturnType<
      NonNullable<FastifyDynamicSwaggerOptions['transformObject']>
    >
  },
}
