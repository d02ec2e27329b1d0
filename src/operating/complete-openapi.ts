import { STATUS_CODES } from 'node:http'
import { nameSchemas, type Schema, type Schemas } from './name-schemas.ts'

/** The parts of an OpenAPI 3.1 document that this file looks at. */
export interface Described {
  paths?: { [path: string]: { [method: string]: Operation } }
  components?: { schemas?: Schemas; headers?: object }
}

interface Operation {
  operationId?: string
  description?: string
  parameters?: object[]
  responses: { [status: string]: Response }
  security?: object[]
  'x-scope'?: string
}

interface Response {
  description?: string
  headers?: { [name: string]: object }
  content?: { [type: string]: { schema?: Schema; example?: unknown } }
}

/**
 * Adds what holds for every route, so that a route only states what is particular to it: the answers that the guard,
 * the rate limit and the framework may give, the headers, and names for shared schemas.
 */
export function completeOpenApi(described: Described): Described {
  const document = nameSchemas(described)
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(methods)) {
      operation.operationId ??= nameOf(method, path)
      addAnswers(method, operation)
      if (method === 'get') addTag(operation)
      for (const [status, response] of Object.entries(operation.responses)) describe(operation, status, response)
    }
  }
  return { ...document, components: { ...document.components, headers } }
}

function nameOf(method: string, path: string): string {
  const words = path.split(/[^a-zA-Z0-9]+/).filter(word => word !== '' && word !== 'v1')
  return [method, ...words.map(word => word.charAt(0).toUpperCase() + word.slice(1))].join('')
}

function addAnswers(method: string, operation: Operation): void {
  const { 'x-scope': scope, responses } = operation
  const guarded = scope === undefined ? [] : scope === 'metrics' ? [401, 403, 503] : [401, 403, 429, 500, 503]
  // A body is looked at even where none is wanted.
  const withBody = method === 'get' ? [] : [400, 413, 415]
  // A long enough parameter makes any request too large.
  for (const status of [...guarded, ...withBody, 431]) {
    responses[status] ??= { content: { 'application/json': { schema: ofName('Error') } } }
  }
  operation.security = scope === undefined ? [] : [{ token: [] }]
  if (scope !== undefined) {
    operation.description = [operation.description, `Needs a token with the scope \`${scope}\`.`]
      .filter(Boolean)
      .join(' ')
  }
}

/** Every state has an ETag, unless it must not be cached. */
function addTag(operation: Operation): void {
  const ok = operation.responses[200]
  const isState = operation['x-scope'] === 'read' && ok?.content?.['application/json'] !== undefined
  if (!isState || ok === undefined || ok.headers?.['cache-control'] !== undefined) return
  ok.headers = { ...ok.headers, ...header('etag') }
  operation.responses[304] = { description: 'Unchanged: If-None-Match names this very state', headers: header('etag') }
  operation.parameters = [...(operation.parameters ?? []), ifNoneMatch]
}

function describe(operation: Operation, status: string, response: Response): void {
  if (response.description === undefined || response.description === 'Default Response') {
    response.description = meanings[status] ?? STATUS_CODES[status] ?? status
  }
  const scope = operation['x-scope']
  const schema = response.content?.['application/json']?.schema?.$ref
  const isCounted = scope !== undefined && scope !== 'metrics' && status !== '401' && status !== '403'
  response.headers = {
    ...header('x-request-id'),
    ...(isCounted ? header('ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset') : {}),
    ...(status === '429' || status === '503' ? header('retry-after') : {}),
    ...(status === '401' ? header('www-authenticate') : {}),
    ...(schema === ofName('Activation').$ref ? header('etag', ...(status === '202' ? ['location'] : [])) : {}),
    ...response.headers,
  }
  for (const media of Object.values(response.content ?? {})) {
    if (media.schema?.$ref !== ofName('Error').$ref) continue
    const message = response.description === meanings[status] ? examples[status] : undefined
    media.example = { errorCode: status, errorMessage: message ?? 'what is wrong, in words' }
  }
}

const meanings: { [status: string]: string } = {
  200: 'As asked',
  400: 'A parameter or the body is not as described; the message names it',
  401: 'No token, or one that is unknown or was revoked',
  403: 'The token lacks the scope, or may not act for the account',
  404: 'Not known, or of an account that the token may not see: the answer is the same',
  413: 'The body is too large',
  415: 'The body is not JSON, or is encoded',
  429: 'The token made too many requests; ask again after Retry-After seconds',
  431: 'The URL and the headers are too large together: 16 KiB at most',
  500: 'Something is wrong inside: the log of the service has more under the same x-request-id',
  503: 'Not available now: the database is away or starting; ask again after Retry-After seconds',
}

const examples: { [status: string]: string } = {
  400: 'query parameter: limit must be <= 1000',
  401: 'the token is not known, or was revoked',
  403: 'the token lacks the scope read',
  404: 'not found',
  409: 'another activation is recorded under the requestId d1f08526-5443-4054-9a29-4456490ea9f8',
  413: 'the body is too large',
  415: 'send the body as application/json',
  429: 'this token made too many requests; ask again after Retry-After seconds',
  431: 'the headers are too large',
  500: 'internal error; the log of the service has more under this x-request-id',
  503: 'not available now; ask again',
}

const text = (description: string, example: string) => ({ description, schema: { type: 'string' }, example })
const seconds = (description: string) => ({ description, schema: { type: 'integer', minimum: 0 } })

const headers: { [name: string]: object } = {
  'x-request-id': text("the caller's own X-Request-Id, or one made here; the log names it", 'my-request-1'),
  etag: text('a strong tag: the same tag means the same answer', '"IHLSg15B_7ccTmuJ4pnFO4"'),
  location: text('where the activation is', '/v1/activations/d1f08526-5443-4054-9a29-4456490ea9f8'),
  'www-authenticate': text('how to sign in', 'Bearer'),
  'retry-after': seconds('seconds to wait before asking again'),
  'ratelimit-limit': seconds('requests that the token may make per minute; not sent when it has no limit'),
  'ratelimit-remaining': seconds('how many of these are left'),
  'ratelimit-reset': seconds('seconds until all of them are available again'),
}

function header(...names: string[]): { [name: string]: object } {
  return Object.fromEntries(names.map(name => [name, { $ref: `#/components/headers/${name}` }]))
}

function ofName(schema: string): { $ref: string } {
  return { $ref: `#/components/schemas/${schema}` }
}

const ifNoneMatch = {
  in: 'header',
  name: 'if-none-match',
  required: false,
  description: 'the ETag of an earlier answer: 304 as long as nothing has changed',
  schema: { type: 'string' },
}
