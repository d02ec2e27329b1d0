import { createHash } from 'node:crypto'
import http from 'node:http'
import t, { type Test } from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { routeTable } from '../fixtures/routes.ts'
import { type Answer, type Row, startTestService, type TestService } from '../fixtures/service.ts'

/*
 * Two accounts, two tokens with every scope. What the first token is answered about the second account must be what it
 * is answered about something that does not exist, whatever the route, method, filter, cursor or tag. The routes come
 * from the document of the service, and that is compared with fastify's own table: a new one is walked by itself.
 */
const scopes = 'read,activate,operate,credentials'
const digest = (secret: string) => createHash('sha256').update(secret).digest('hex')
const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })
const [mine, theirs] = [bearer('secret-mine'), bearer('secret-theirs')]

/** What a path, a query or a body may name. */
interface Names {
  accountName: string
  requestId: string
  submission: string
  callbackId: string
  ids: { iccid: string; eid: string; imei: string }
}

const my: Names = names('0000123456-00001', 1, '')
const their: Names = names('0000999999-00001', 2, '')
const unknown: Names = names('0000555555-00001', 3, '019a0000-0000-7000-8000-000000000003')

function names(accountName: string, n: number, callbackId: string): Names {
  const submission = `submission-00000000-0000-4000-8000-00000000000${n}`
  return { accountName, requestId: `request-of-${n}`, submission, callbackId, ids: device(n) }
}

interface Operation {
  method: string
  path: string
  query: { name: string; values?: string[] }[]
  hasBody: boolean
  hasTag: boolean
}

async function start() {
  // Without tokens of its own it takes the callbacks of any account.
  const taker = await startTestService(t)
  for (const who of [my, their]) {
    const { accountName, requestId, ids, submission } = who
    await taker.record(requestId, [ids, device(Number(requestId.slice(-1)) + 10)], { accountName })
    const stored = await taker.callback(makeCallback({ requestId, ...ids }), { account: accountName })
    who.callbackId = stored.body.callbackId
    await taker.callback({ requestId, nothing: 'known' }, { account: accountName })
    await taker.sql(
      `insert into submissions (id, name, account_name, asked_by, request_digest, request, state, intended_at)
        values (gen_random_uuid(), $1, $2, 'test', '', '{}', 'unknown', now())`,
      [submission, accountName],
    )
  }
  const service = await startTestService(t, {
    DATABASE_URL: taker.databaseUrl,
    API_TOKENS: [
      `mine:${scopes}:${my.accountName}:${digest('secret-mine')}`,
      `theirs:${scopes}:${their.accountName}:${digest('secret-theirs')}`,
    ].join(';'),
  })
  const { paths } = (await service.get('/openapi.json')).body
  const operations = Object.entries(paths as Row).flatMap(([path, methods]) =>
    Object.entries(methods as Row)
      .filter(([, operation]) => (operation as Row)['x-scope'] !== undefined && path !== '/metrics')
      .map(([method, operation]) => operationOf(method, path, operation)),
  )
  return { taker, service, operations, paths }
}

function operationOf(method: string, path: string, operation: Row): Operation {
  const query = (operation.parameters ?? [])
    .filter((parameter: Row) => parameter.in === 'query')
    .map(({ name, schema }: Row) => ({ name, values: schema.enum }))
  const hasTag = operation.responses['304'] !== undefined
  return { method: method.toUpperCase(), path, query, hasTag, hasBody: operation.requestBody !== undefined }
}

/** Everything that can be asked of an operation about these names, as [what to call, how]. */
function questions({ method, path, query, hasBody }: Operation, who: Names) {
  const kinds = path.includes('{kind}') ? (['eid', 'iccid', 'imei'] as const) : (['eid'] as const)
  const urls = kinds.map(kind =>
    path.replaceAll(/\{(\w+)\}/g, (_, name) => {
      const value: { [name: string]: string } = {
        kind,
        id: path.includes('/callbacks/') ? who.callbackId : who.ids[kind],
        requestId: path.endsWith('/settle') ? who.submission : who.requestId,
        iccid: who.ids.iccid,
      }
      return value[name] ?? `no value for ${name}`
    }),
  )
  const filters = [
    '',
    ...query.flatMap(parameter => valuesOf(parameter, who).map(value => `?${parameter.name}=${value}`)),
  ]
  const bodies = hasBody ? bodiesFor(path, who) : [undefined]
  return urls.flatMap(url =>
    filters.flatMap(filter =>
      bodies.map(body => ({ method, url: url + filter, ...(body === undefined ? {} : { body }) })),
    ),
  )
}

const never = ['cursor', 'after']

function valuesOf({ name, values }: Operation['query'][number], who: Names): string[] {
  const known: { [name: string]: string } = {
    accountName: who.accountName,
    requestId: who.requestId,
    iccid: who.ids.iccid,
    asOf: '2999-01-01T00:00:00Z',
    wait: '0',
    limit: '7',
    overdue: 'false',
    serviceName: 'CarrierService',
    operation: 'activate',
    servicePlan: 'EXAMPLE_PLAN',
    state: 'ACTIVE',
    profileStatus: 'ENABLE',
    profileRole: 'LEAD',
  }
  if (never.includes(name)) return []
  if (/(After|Before)$/.test(name)) return ['2020-01-01T00:00:00Z', '2999-01-01T00:00:00Z']
  return values ?? [known[name] ?? `no-value-for-${name}`]
}

/** An operation with a body that is not here is asked with one that it does not take, and the walk says so. */
function bodiesFor(path: string, { accountName, requestId, ids, callbackId }: Names): object[] {
  const devices = [{ deviceIds: [{ kind: 'iccid', id: ids.iccid }] }]
  const known: { [path: string]: object[] } = {
    '/v1/activations': [{ accountName, devices }],
    '/v1/activations/{requestId}': [{ accountName, devices }],
    '/v1/activations/{requestId}/settle': [{ taken: false }, { requestId: 'request-found' }],
    '/v1/callbacks/reprocess': [{ accountName }, { requestId }, { accountName, dryRun: true }],
    '/v1/profiles/lookup': [{ ids: Object.entries(ids).map(([kind, id]) => ({ kind, id })) }],
  }
  return known[path] ?? [{ noBodyFor: path, callbackId }]
}

/** What only their own account may be shown. What was asked for may be named again. */
function tracesOf(answer: Answer, asked: string): string[] {
  const text = `${JSON.stringify(answer.body)} ${JSON.stringify([...answer.headers])}`
  const traces = [their.accountName, their.requestId, their.submission, their.callbackId, ...Object.values(their.ids)]
  return traces.filter(trace => text.includes(trace) && !asked.includes(trace))
}

/** The answer with the names that were asked for taken out, to be compared with that for other names. */
function plain({ status, body }: Answer, who: Names): string {
  const values = [who.accountName, who.requestId, who.submission, who.callbackId, ...Object.values(who.ids)]
  return values.reduce((text, value) => text.replaceAll(value, '...'), JSON.stringify([status, body]))
}

const { taker, service, operations, paths } = await start()

t.test('the document names every route there is', async t => {
  const documented = Object.entries(paths as Row).flatMap(([path, methods]) =>
    Object.keys(methods as Row).map(method => `${method.toUpperCase()} ${path}`),
  )
  const table = (await routeTable()).filter(route => !/ (\/docs.*|\/assets\/.*|\/openapi\.json|\/)$/.test(route))
  t.ok(table.length > 20)
  t.strictSame(
    table.filter(route => !route.startsWith('HEAD ')),
    documented.sort(),
  )
  const heads = table.filter(route => route.startsWith('HEAD '))
  t.strictSame(
    heads.filter(route => !documented.includes(route.replace('HEAD', 'GET'))),
    [],
    'HEAD is where GET is',
  )
})

t.test('what is foreign is answered as what is unknown, by every route, method and filter', async t => {
  t.ok(operations.length >= 17)
  for (const operation of operations) {
    if (operation.path.endsWith('/stream')) continue
    const foreign = questions(operation, their)
    const strange = questions(operation, unknown)
    for (const [at, { method, url, ...options }] of foreign.entries()) {
      const name = `${method} ${url} ${JSON.stringify(options.body ?? '')}`
      const without = await service.call(method, url, options)
      t.match(without, { status: 401, body: { errorCode: '401' } }, `${name} without a token`)
      const answer = await service.call(method, url, { ...options, headers: mine })
      t.ok([200, 403, 404, 503].includes(answer.status), `${name}: ${answer.status} ${answer.body?.errorMessage}`)
      t.strictSame(tracesOf(answer, name), [], `${name} shows nothing of theirs`)
      const other = strange[at]
      if (other === undefined) continue
      // Where nobody is named there is nothing to compare, and what is told of the last minutes is soon another.
      if (JSON.stringify(other) !== JSON.stringify(foreign[at])) {
        const same = await service.call(method, other.url, { ...options, ...other, headers: mine })
        t.equal(plain(answer, their), plain(same, unknown), name)
      }
      if (method !== 'GET') continue
      t.match(await service.call('HEAD', url), { status: 401 }, `HEAD ${url} without a token`)
      t.equal((await service.call('HEAD', url, { headers: mine })).status, answer.status, `HEAD ${url}`)
    }
  }
  // The walk proves something only if there was something to be seen.
  for (const operation of operations.filter(({ method, path }) => method === 'GET' && !path.endsWith('/stream'))) {
    const [question] = questions(operation, their)
    const own = await service.get(question?.url ?? '', theirs)
    t.match(own, { status: 200 }, `${question?.url} is there for its own account`)
  }
})

t.test('neither a tag nor a cursor of another token opens anything', async t => {
  let [tags, cursors] = [0, 0]
  for (const operation of operations.filter(({ hasTag }) => hasTag)) {
    const url = questions(operation, their)[0]?.url ?? ''
    const tag = (await service.get(url, theirs)).headers.get('etag') ?? ''
    t.match(await service.get(url, { ...theirs, 'if-none-match': tag }), { status: 304 }, `${url} for its own account`)
    for (const known of [tag, `W/${tag}`]) {
      const answer = await service.get(url, { ...mine, 'if-none-match': known })
      t.ok(answer.status === 404 || (answer.status === 200 && answer.headers.get('etag') !== tag), `${url} ${known}`)
      tags += 1
    }
    if (!url.includes('?') && operation.path.includes('{')) {
      t.match(await service.get(url, { ...mine, 'if-none-match': '*' }), { status: 404 }, `${url} with *`)
    }
  }
  for (const operation of operations.filter(({ query }) => query.some(({ name }) => name === 'cursor'))) {
    const url = questions(operation, their)[0]?.url ?? ''
    const { next } = (await service.get(`${url}?limit=1`, theirs)).body
    const [own] = questions(operation, my)
    if (next === null) continue
    cursors += 1
    t.match(await service.get(`${url}?limit=1&cursor=${next}`, theirs), { status: 200 }, `${url} for its own account`)
    const foreign = await service.get(`${own?.url}?limit=1&cursor=${next}`, mine)
    t.match(foreign, { status: 400, body: { errorMessage: /cursor is not a cursor of this list/ } }, url)
  }
  t.ok(tags >= 10 && cursors >= 3, `${tags} tags, ${cursors} cursors`)
})

t.test('the feed tells each its own: polled from memory and from the database, waited for, and streamed', async t => {
  const accountsIn = (changes: Row[]) => [...new Set(changes.map(({ accountName }) => accountName))]
  const all = (await service.get('/v1/changes', mine)).body
  t.strictSame(accountsIn(all.items), [my.accountName], 'from the database: it was there before this process')
  const foreign = (await service.get('/v1/changes?limit=2', theirs)).body
  const after = (await service.get(`/v1/changes?after=${foreign.cursor}`, mine)).body
  t.strictSame(after.items, [], 'a place in the feed is one place for all, and nothing of mine comes after this one')

  const waiting = service.get(`/v1/changes?after=${all.cursor}&wait=30`, mine)
  const stream = await streamOf(t, service, all.cursor)
  const send = ({ accountName }: Names, n: number) =>
    taker.callback(makeCallback({ requestId: `later-${n}`, ...device(n) }), { account: accountName })
  await send(their, 21)
  await send(their, 22)
  await service.get('/v1/changes', theirs)
  t.match(await send(my, 23), { status: 200 })
  t.match((await waiting).body.items, [{ accountName: my.accountName, iccid: device(23).iccid }])
  t.equal((await waiting).body.items.length, 1)
  t.match(await stream.first, { accountName: my.accountName, iccid: device(23).iccid })
  t.notMatch(stream.text(), their.accountName)
  const polled = (await service.get(`/v1/changes?after=${all.cursor}`, mine)).body.items
  t.strictSame(
    polled.map(({ iccid }: Row) => iccid),
    [device(23).iccid],
    'from memory',
  )
  for (const filter of [`accountName=${their.accountName}`, `iccid=${device(21).iccid}`, 'requestId=later-22']) {
    t.strictSame((await service.get(`/v1/changes?${filter}`, mine)).body.items, [], filter)
  }
  t.match(await service.get('/v1/changes/stream'), { status: 401 })
})

async function streamOf(t: Test, service: TestService, after: string) {
  let text = ''
  const url = `${service.url}/v1/changes/stream?after=${after}`
  const first = Promise.withResolvers<Row>()
  await new Promise<void>((resolve, reject) => {
    const request = http.get(url, { headers: mine, agent: false }, response => {
      resolve()
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk
        const data = /^data: (.*)\n\n/m.exec(text)?.[1]
        if (data !== undefined) first.resolve(JSON.parse(data))
      })
    })
    request.on('error', error => (request.destroyed ? undefined : reject(error)))
    t.teardown(() => request.destroy())
  })
  return { first: first.promise, text: () => text }
}
