import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Accounts } from '../../src/operating/access.ts'
import { createCursors } from '../../src/operating/cursor.ts'
import { listProfiles, type ProfileFilter } from '../../src/profiles/list-profiles.ts'
import { watchQueries } from '../fixtures/count-buffers.ts'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { account, type Row, startTestService, takeTestService } from '../fixtures/service.ts'

const other = '0000999999-00001'
const cursors = createCursors(() => Buffer.alloc(32, 1))

t.test('profiles are listed by every filter, and paged both ways', async t => {
  const service = await takeTestService(t)
  for (let n = 0; n < 6; n += 1) {
    const made = { requestId: `request-${n}`, ...device(n) }
    const differs = {
      state: n === 5 ? 'SUSPEND' : 'ACTIVE',
      profileStatus: n === 4 ? 'DISABLE' : 'ENABLE',
      profileRole: n % 2 === 0 ? 'LEAD' : 'LOCAL',
      servicePlan: n === 3 ? 'RARE PLAN' : 'EXAMPLE_PLAN',
    }
    // Times are kept to the millisecond; within one of them none has changed after another.
    await sleep(2)
    await service.callback(n === 2 ? makeFault(made) : makeCallback({ ...made, ...differs }), {
      account: n === 1 ? other : account,
    })
  }
  const ask = async (query: string) => (await service.get(`/v1/profiles?${query}`)).body
  const list = async (query: string) => numbers((await ask(query)).items)
  t.strictSame(await list(''), [0, 1, 2, 3, 4, 5])
  t.strictSame(await list('state=ACTIVE'), [0, 1, 3, 4])
  t.strictSame(await list('state=suspend&limit=1'), [5], 'in any case')
  t.strictSame(await list('profileStatus=DISABLE'), [4])
  t.strictSame(await list('profileRole=LOCAL'), [1, 3, 5])
  t.strictSame(await list('servicePlan=RARE%20PLAN'), [3])
  t.strictSame(await list('result=failed'), [2])
  t.strictSame(await list(`accountName=${other}`), [1])
  t.strictSame(await list(`accountName=${account}&profileRole=LEAD&result=succeeded`), [0, 4])
  t.strictSame(await list('accountName=nobody'), [])

  const one = (await service.get(`/v1/profiles/${device(3).iccid}`)).body
  t.strictSame((await ask('servicePlan=RARE%20PLAN')).items, [one], 'shown as when asked for alone')
  t.strictSame(await list(`changedAfter=${one.changedAt}`), [4, 5])

  const first = await ask('limit=4')
  t.equal(first.prev, null)
  const second = await ask(`limit=4&cursor=${first.next}`)
  t.strictSame([numbers(second.items), second.next], [[4, 5], null])
  t.strictSame(await list(`limit=4&cursor=${second.prev}`), [0, 1, 2, 3])

  for (const [query, named] of [
    ['state=', 'state'],
    ['state=%20', 'state'],
    ['state=%00', 'state'],
    ['result=great', 'result'],
    ['changedAfter=soon', 'changedAfter'],
    ['changedAfter=2026-12-31T23:59:60Z', 'changedAfter'],
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=x', 'limit'],
    ['State=ACTIVE', 'State'],
    ['state=ACTIVE&state=SUSPEND', 'state'],
    ['cursor=x', 'cursor'],
    [`state=ACTIVE&limit=4&cursor=${first.next}`, 'cursor'],
    [`cursor=${first.next.slice(0, -1)}`, 'cursor'],
  ]) {
    const answer = await service.get(`/v1/profiles?${query}`)
    t.match(
      { query, ...answer },
      { query, status: 400, body: { errorCode: '400', errorMessage: new RegExp(`^query parameter: ${named} `) } },
    )
  }

  const path = '/v1/profiles?profileRole=LEAD'
  const tag = (await service.get(path)).headers.get('etag') ?? ''
  t.match(await service.get(path, { 'if-none-match': tag }), { status: 304, body: '' })
  await service.callback(makeFault({ requestId: 'request-9', ...device(0) }))
  t.match(await service.get(path, { 'if-none-match': tag }), { status: 200 })
})

t.test('pages stay in place while profiles change groups and new ones come', async t => {
  const service = await takeTestService(t)
  for (let n = 10; n < 30; n += 1) await service.callback(makeCallback({ requestId: `r-${n}`, ...device(n) }))
  const seen: number[] = []
  let cursor = ''
  for (let page = 0; cursor !== null; page += 1) {
    const { body } = await service.get(`/v1/profiles?limit=3${cursor && `&cursor=${cursor}`}`)
    seen.push(...numbers(body.items))
    cursor = body.next
    for (const n of [10, 19, 29]) await service.callback(makeFault({ requestId: `page-${page}`, ...device(n) }))
    await service.callback(makeCallback({ requestId: `new-${page}`, ...device(page) }))
  }
  t.strictSame(
    seen.filter(n => n >= 10),
    Array.from({ length: 20 }, (_, n) => n + 10),
    'each once, in order',
  )
})

t.test('a page whose rows have left the list is no dead end', async t => {
  const service = await takeTestService(t)
  const say = (n: number, state: string) =>
    service.callback(makeCallback({ requestId: `request-${n}-${state}`, ...device(n), state }))
  for (let n = 0; n < 6; n += 1) await say(n, 'ACTIVE')
  const ask = async (cursor: string | null) => {
    const { body } = await service.get(`/v1/profiles?state=ACTIVE&limit=2${cursor === null ? '' : `&cursor=${cursor}`}`)
    return { numbers: numbers(body.items), next: body.next, prev: body.prev }
  }
  const second = await ask((await ask(null)).next)
  const third = await ask(second.next)
  t.match([second, third], [{ numbers: [2, 3] }, { numbers: [4, 5], next: null }])
  for (const n of [0, 1]) await say(n, 'SUSPEND')
  const gone = await ask(second.prev)
  t.match(gone, { numbers: [], prev: null, next: /./ })
  t.match(await ask(gone.next), { numbers: [2, 3], prev: null, next: /./ })

  for (const n of [4, 5]) await say(n, 'SUSPEND')
  const after = await ask(second.next)
  t.match(after, { numbers: [], next: null, prev: /./ })
  t.match(await ask(after.prev), { numbers: [2, 3], prev: null, next: null })

  for (const n of [2, 3]) await say(n, 'SUSPEND')
  const empty = await ask(after.prev)
  t.match(empty, { numbers: [], prev: null, next: null })
})

t.test('a list is paged past an identifier of any length', async t => {
  const service = await takeTestService(t)
  const odd = randomBytes(1_200).toString('hex')
  for (const iccid of [odd, device(1).iccid]) {
    t.match(await service.callback(makeCallback({ requestId: 'odd', iccid })), { body: { verdict: 'unmatched' } })
  }
  const seen: string[] = []
  for (let cursor = ''; ; ) {
    const { status, body } = await service.get(`/v1/profiles?limit=1${cursor}`)
    t.equal(status, 200)
    seen.push(...body.items.map(({ iccid }: Row) => iccid))
    if (body.next === null) break
    cursor = `&cursor=${body.next}`
  }
  t.strictSame(new Set(seen), new Set([odd, device(1).iccid]))
})

t.test('a list has another tag when a login was forgotten', async t => {
  const service = await takeTestService(t)
  await service.callback(makeCallback({ requestId: 'one', ...device(1), secret: 'forgotten' }))
  const before = await service.get('/v1/profiles')
  t.match(before.body.items, [{ hasCredential: true }])
  await service.sql('update profiles set credential_callback_id = null')
  const headers = { 'if-none-match': before.headers.get('etag') ?? '' }
  t.match(await service.get('/v1/profiles', headers), { status: 200, body: { items: [{ hasCredential: false }] } })
})

t.test('among 50,000 profiles a page costs its rows and groups, whatever is asked', async t => {
  const service = await startTestService(t)
  await service.sql(`insert into activations (account_name, request_id, recorded_at, submitted_at)
    values ('${account}', 'many', now(), now())`)
  // One account holds a block of ICCIDs, states alternate, and three profiles of all are rare.
  await service.sql(`
    insert into profiles (iccid, account_name, state, profile_status, profile_role, service_plan, activation_id, evidence,
      result, source, spoken_submitted_at, spoken_final, spoken_at, spoken_by, changed_at, confirmed_at, version)
    select (89999000000000000000 + n)::text, case when n between 15000 and 30000 then '${other}' else '${account}' end,
      case when n % 16667 = 66 then 'RARE' else (array['ACTIVE', 'SUSPEND', 'DEACTIVE'])[1 + n % 3] end,
      (array['ENABLE', 'DISABLE'])[1 + n % 2], (array['LEAD', 'LOCAL'])[1 + n / 7 % 2], 'PLAN-' || n / 11 % 4,
      (select id from activations), '{}', 'succeeded', 'callback', now(), true, now(), gen_random_uuid(),
      timestamptz '2026-01-01' + n * interval '1 second', now(), 1
    from generate_series(1, 50000) n`)
  await service.sql('analyze profiles')
  const { db, cost } = watchQueries(t, service.databaseUrl)
  const filters: [ProfileFilter, Accounts][] = [
    [{}, '*'],
    [{}, [account]],
    [{ accountName: other }, '*'],
    [{ state: 'RARE' }, '*'],
    [{ state: 'ACTIVE', profileRole: 'LOCAL' }, [other]],
    [{ servicePlan: 'PLAN-3', result: 'succeeded' }, [account, other]],
    [{ state: 'RARE', changedAfter: '2026-01-01T02:30:00Z' }, '*'],
    [{ changedAfter: '2026-01-01T06:00:00Z' }, [other]],
    [{ state: 'NONE' }, '*'],
  ]
  for (const [filter, accounts] of filters) {
    const scan = await service.sql(scanOf(filter, accounts))
    const expected = scan.map(({ iccid }: Row) => iccid)
    const title = JSON.stringify([filter, accounts])
    for (const at of [0, Math.floor(expected.length / 2)]) {
      const page = await pageBehind(expected[at - 1])
      t.strictSame(
        page.rows.map(row => row.iccid),
        expected.slice(at, at + 100),
        `${title} from ${at}`,
      )
      if (page.prev === null || at === 0) continue
      const before = await listProfiles(db, cursors, filter, accounts, { cursor: page.prev })
      t.strictSame(
        before.rows.map(row => row.iccid),
        expected.slice(Math.max(0, at - 100), at),
        `${title} back from ${at}`,
      )
    }
    const { buffers, queries } = await cost(db => listProfiles(db, cursors, filter, accounts, {}))
    t.comment(`${title}: ${buffers} pages, ${queries} queries`)
    t.ok(buffers < 4_000, `${title} looks at ${buffers} pages`)
    if (filter.state === 'RARE') t.ok(buffers < 400, `${title} is rare and looks at ${buffers} pages`)

    async function pageBehind(iccid: string | undefined) {
      if (iccid === undefined) return listProfiles(db, cursors, filter, accounts, {})
      const [row] = await service.sql('select * from profiles where iccid = $1', [iccid])
      const byChange = filter.changedAfter === undefined ? [] : [row.changed_at.toISOString()]
      const position = { direction: 'after' as const, key: [...byChange, iccid, row.account_name] }
      const cursor = cursors.write(position, ['profiles', filter, accounts])
      return listProfiles(db, cursors, filter, accounts, { cursor })
    }
  }
})

const columns: Record<string, string> = {
  accountName: 'account_name =',
  state: 'state =',
  profileRole: 'profile_role =',
  servicePlan: 'service_plan =',
  result: 'result =',
  changedAfter: 'changed_at >',
}

function scanOf(filter: ProfileFilter, accounts: Accounts): string {
  const conditions = Object.entries(filter).map(([name, value]) => `${columns[name]} '${value}'`)
  if (accounts !== '*') conditions.push(`account_name in (${accounts.map(name => `'${name}'`)})`)
  const order = filter.changedAfter === undefined ? 'iccid' : 'changed_at, iccid'
  return `select iccid from profiles where ${['true', ...conditions].join(' and ')} order by ${order}`
}

/** Back from identifiers to the numbers of the made-up devices. */
function numbers(items: { iccid: string }[]): number[] {
  return items.map(({ iccid }) => Number(iccid.slice(13, 19)))
}
