import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'

export const openApi: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'ThingSpace callback receiver',
      version: '0.1.0',
      description: 'Receives ThingSpace eSIM callbacks and tells what state each profile is in.',
    },
    tags: [
      { name: 'callbacks', description: 'What ThingSpace posts' },
      { name: 'activations', description: 'What was asked of ThingSpace' },
      { name: 'profiles', description: 'What is true now' },
      { name: 'summary', description: 'How many of each there are' },
      { name: 'changes', description: 'Every change, in order' },
      { name: 'health', description: 'Whether it works' },
    ],
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    security: [{ token: [] }],
  },
}
