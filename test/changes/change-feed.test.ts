import http from 'node:http'
import pg from 'pg'
import t, { type Test } from 'tap'
import { until } from '../fixtures/carrier.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, startTestService, type TestService } from '../fixtures/service.ts'

interface Change {
  cursor: string
  kind: string
}

async function readAll(service: TestService, query = '', limit = 7): Promise<Change[]> {
  const seen: Change[] = []
  let after = ''
  for (;;) {
    const { body } = await service.get(`/v1/changes?limit=${limit}${after}${query}`)
    seen.push(...body.items)
    after = `&after=${body.cursor}`
    if (body.items.length < limit) return seen
  }
}

/** Follows the stream until it has so many changes; ends early when the connection ends. */
function follow(t: Test, service: TestService, count: number, headers: Record<string, string> = {}, query = '') {
  const ready = Promise.withResolvers<void>()
  const done = new Promise<Change[]>((resolve, reject) => {
    const changes: Change[] = []
    let text = ''
    const request = http.get(`${service.url}/v1/changes/stream${query}`, { headers, agent: false }, response => {
      response.setEncoding('utf8')
      response.on('data', chunk => {
        ready.resolve()
        text += chunk
        const events = text.split('\n\n')
        text = events.pop() ?? ''
        for (const event of events) {
          const data = /^data: (.*)$/m.exec(event)?.[1]
          const id = /^id: (.*)$/m.exec(event)?.[1]
          if (data === undefined) continue
          const change = JSON.parse(data) as Change
          t.equal(id, change.cursor, 'the id is the cursor')
          changes.push(change)
        }
        if (changes.length >= count) {
          request.destroy()
          resolve(changes)
        }
      })
      response.on('end', () => resolve(changes))
    })
    request.on('error', error => (request.destroyed ? undefined : reject(error)))
  })
  return { ready: ready.promise, done }
}

t.test('the feed tells every change in order, from the beginning, from now, and after a cursor', async t => {
  const service = await startTestService(t)
  t.match(await service.get('/v1/changes'), { status: 200, body: { items: { length: 0 } } })
  await service.record('request-1', [device(1)])
  const now = (await service.get('/v1/changes?after=now')).body.cursor
  await service.callback(makeCallback({ requestId: 'request-1', ...device(1) }))
  const { body } = await service.get('/v1/changes')
  t.match(body.items, [
    {
      kind: 'activation',
      accountName: account,
      requestId: 'request-1',
      from: null,
      to: { status: 'pending', overdue: false },
      cause: { callbackId: null },
    },
    {
      kind: 'result',
      iccid: device(1).iccid,
      eid: device(1).eid,
      from: { result: 'pending' },
      to: { result: 'succeeded' },
      cause: { source: 'callback' },
    },
    { kind: 'activation', from: { status: 'pending' }, to: { status: 'succeeded' } },
    {
      kind: 'profile',
      from: null,
      to: { state: 'ACTIVE', profileRole: 'LEAD' },
      cause: { callbackId: /./, source: 'callback' },
    },
  ])
  t.equal(body.items.length, 4)
  t.strictSame((await service.get(`/v1/changes?after=${now}`)).body.items, body.items.slice(1))
  const end = (await service.get(`/v1/changes?after=${body.cursor}`)).body
  t.strictSame(end.items, [])
  t.strictSame((await service.get(`/v1/changes?after=${end.cursor}`)).body.items, [])
  t.equal((await service.get(`/v1/changes?iccid=${device(1).iccid}`)).body.items.length, 2)
  const spaced = encodeURIComponent(`${device(1).iccid.replace(/(.{4})/g, '$1 ')}F`)
  t.equal((await service.get(`/v1/changes?iccid=${spaced}`)).body.items.length, 2, 'an ICCID is read as in a path')
  t.strictSame(
    (await follow(t, service, 2, {}, `?iccid=${spaced}`).done).map(change => change.cursor),
    (await readAll(service, `&iccid=${spaced}`)).map(change => change.cursor),
  )
  t.equal((await service.get('/v1/changes?requestId=request-1')).body.items.length, 4)
  t.equal((await service.get('/v1/changes?accountName=other')).body.items.length, 0)
  for (const query of ['after=abc', `after=${body.cursor}x`, 'wait=61', 'wait=-1', 'limit=0', 'unknown=1']) {
    t.match(
      await service.get(`/v1/changes?${query}`),
      { status: 400, body: { errorMessage: /query parameter/ } },
      query,
    )
  }
})

t.test('a Last-Event-ID that is no cursor is refused by its own name', async t => {
  const service = await startTestService(t)
  for (const id of ['abc', '1', 'x'.repeat(201)]) {
    t.match(
      await service.get('/v1/changes/stream?after=now', { 'last-event-id': id }),
      { status: 400, body: { errorMessage: /^header: last-event-id / } },
      id,
    )
  }
})

t.test('a reader that waits is answered when there is a change, and with an empty list when there is none', async t => {
  const service = await startTestService(t)
  const { cursor } = (await service.get('/v1/changes?after=now')).body
  const waiting = service.get(`/v1/changes?after=${cursor}&wait=30`)
  await new Promise(resolve => setTimeout(resolve, 50))
  await service.callback(makeCallback({ ...device(1) }))
  t.match(await waiting, { status: 200, body: { items: [{ kind: 'profile' }] } })
  const none = await service.get(`/v1/changes?after=now&wait=1`)
  t.match(none, { status: 200, body: { items: { length: 0 } } })
  t.ok(none.body.cursor)
})

t.test('a transaction that stalls delays its own change only, and no reader skips or repeats one', async t => {
  const service = await startTestService(t)
  const replica = await startTestService(t, { DATABASE_URL: service.databaseUrl })
  await service.callback(makeCallback({ requestId: 'held', ...device(999) }))
  const { cursor } = (await service.get('/v1/changes?after=now')).body
  const streams = [
    follow(t, service, 101, {}, `?after=${cursor}`),
    follow(t, replica, 101, { 'last-event-id': cursor }),
  ]
  await Promise.all(streams.map(({ ready }) => ready))

  const holder = new pg.Client({ connectionString: service.databaseUrl })
  await holder.connect()
  t.teardown(() => holder.end())
  await holder.query('begin')
  await holder.query(`select * from profiles where iccid = '${device(999).iccid}' for update`)
  const stalled = service.callback(makeCallback({ requestId: 'held', ...device(999), state: 'SUSPEND' }))
  const sent = Array.from({ length: 100 }, (_, n) =>
    (n % 2 ? service : replica).callback(makeCallback({ requestId: `free-${n}`, ...device(n) })),
  )
  t.strictSame(new Set((await Promise.all(sent)).map(({ status }) => status)), new Set([200]))
  const polled = (await service.get(`/v1/changes?after=${cursor}&limit=1000`)).body
  t.equal(polled.items.length, 100, 'the others are seen while one stalls')
  await holder.query('rollback')
  if ((await stalled).status !== 200) {
    t.match(await service.callback(makeCallback({ requestId: 'held', ...device(999), state: 'SUSPEND' })), {
      status: 200,
    })
  }
  const waited = (await replica.get(`/v1/changes?after=${polled.cursor}&wait=10`)).body
  t.match(waited.items, [{ kind: 'profile', iccid: device(999).iccid, to: { state: 'SUSPEND' } }])
  const expected = [...polled.items, ...waited.items].map(({ cursor }: Change) => cursor)
  for (const { done } of streams)
    t.strictSame(
      (await done).map(change => change.cursor),
      expected,
    )
  const all = (await readAll(service)).map(change => change.cursor)
  t.strictSame(all.slice(-101), expected, 'and page by page from the database')
})

t.test('a stream resumes after the last event that was seen', async t => {
  const service = await startTestService(t)
  for (let n = 0; n < 5; n += 1) await service.callback(makeCallback({ requestId: `n-${n}`, ...device(n) }))
  const first = await follow(t, service, 3).done
  const rest = await follow(t, service, 2, { 'last-event-id': first[2]?.cursor ?? '' }).done
  t.strictSame(
    [...first.slice(0, 3), ...rest].map(change => change.cursor),
    (await readAll(service)).map(change => change.cursor),
  )
})

t.test('a stream that begins now and breaks before its first event is resumed where it began', async t => {
  const service = await startTestService(t)
  await service.callback(makeCallback({ requestId: 'before', ...device(1) }))
  const begun = new AbortController()
  const { body, headers } = await fetch(`${service.url}/v1/changes/stream?after=now`, { signal: begun.signal })
  t.equal(headers.get('cache-control'), 'no-store, no-transform', 'no proxy compresses it, and holds back its end')
  const { value = '' } = (await body?.pipeThrough(new TextDecoderStream()).getReader().read()) ?? {}
  begun.abort()
  const id = /^id: (.*)\n\n$/m.exec(value)?.[1] ?? ''
  t.equal(id, (await service.get('/v1/changes?after=now')).body.cursor)
  await service.callback(makeCallback({ requestId: 'meanwhile', ...device(2) }))
  t.match(await follow(t, service, 1, { 'last-event-id': id }, '?after=now').done, [{ requestId: 'meanwhile' }])
})

t.test('many readers wait without a database connection each, and all are let go when the service leaves', async t => {
  const service = await startTestService(t)
  const { cursor } = (await service.get('/v1/changes?after=now')).body
  const readers = Array.from({ length: 200 }, () => service.get(`/v1/changes?after=${cursor}&wait=60`))
  const stream = follow(t, service, 1_000)
  await stream.ready
  const waiting = async () => /^thingspace_feed_readers (\d+)$/m.exec((await service.get('/metrics')).body)?.[1]
  await until(waiting, count => count === '201')
  const [{ count }] = await service.sql(
    "select count(*)::int from pg_stat_activity where datname = current_database() and application_name like 'thingspace%'",
  )
  t.ok(count <= 12, `${count} connections`)
  await service.callback(makeCallback({ ...device(1) }))
  const answers = await Promise.all(readers)
  t.ok(answers.every(({ status, body }) => status === 200 && body.items.length === 1))
  const late = service.get('/v1/changes?after=now&wait=60')
  await until(waiting, count => count === '2')
  await service.close()
  t.match(await late, { status: 200, body: { items: { length: 0 } } })
  t.equal((await stream.done).length, 1)
})

t.test('a change that was numbered but not yet committed is never overtaken', async t => {
  const service = await startTestService(t)
  const replica = await startTestService(t, { DATABASE_URL: service.databaseUrl })
  await service.sql(`
    create function stall() returns trigger language plpgsql as $$
    begin if new.request_id = 'slow' then perform pg_sleep(0.7); end if; return null; end $$`)
  await service.sql('create trigger stall after insert on changes for each row execute function stall()')
  const { cursor } = (await service.get('/v1/changes?after=now')).body
  const slow = service.callback(makeCallback({ requestId: 'slow', ...device(0) }))
  await until(
    () => service.sql("select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"),
    stalling => stalling.length === 1,
  )
  const others = Array.from({ length: 20 }, (_, n) =>
    replica.callback(makeCallback({ requestId: `quick-${n}`, ...device(n + 1) })),
  )
  const seen: string[] = []
  let at = cursor
  while (seen.length < 21) {
    const { body } = await replica.get(`/v1/changes?after=${at}&wait=5`)
    seen.push(...body.items.map(({ requestId }: { requestId: string }) => requestId))
    at = body.cursor
  }
  t.match(
    (await Promise.all([slow, ...others])).map(({ status }) => status),
    Array(21).fill(200),
  )
  t.equal(new Set(seen).size, 21)
  t.equal(seen[0], 'slow', 'the number that was drawn first is seen first')
})
