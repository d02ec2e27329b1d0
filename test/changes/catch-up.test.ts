import t from 'tap'
import { type ChangeFilter, findChanges } from '../../src/changes/find-changes.ts'
import { openDatabase } from '../../src/database/pool.ts'
import { findReader } from '../../src/database/reader.ts'
import { openReading } from '../../src/database/seen-by.ts'
import type { Accounts } from '../../src/operating/access.ts'
import { connection } from '../fixtures/connection.ts'
import { rowsRead } from '../fixtures/rows-read.ts'
import { account, startTestService } from '../fixtures/service.ts'

const other = '0000999999-00001'
const quiet = '0000777777-00001'

t.test('who sees few changes reads those, however many of others lie between', async t => {
  const service = await startTestService(t)
  await service.sql(`
    insert into changes (at, kind, account_name, request_id, iccid, becomes, source)
    select now(), 'profile', case when n in (7, 30000, 59990) then '${other}' when n = 40000 then '${quiet}' else '${account}' end,
      case when n % 20000 = 11 then 'few' else 'many' end,
      case when n in (8, 30001) then '899990000000000001' else '899990000000000002' end, '{}', 'callback'
    from generate_series(1, 60000) n`)
  await service.sql('analyze changes')
  const options = connection(service.databaseUrl, { connections: 1 })
  const reading = openReading(options)
  const owner = openDatabase(options)
  t.teardown(() => Promise.all([reading.destroy(), owner.destroy()]))
  reading.readAs(await findReader(owner))
  const find = (after: bigint, filter: ChangeFilter, accounts: Accounts) =>
    reading
      .seenBy(accounts)
      .transaction()
      .execute(async trx => {
        const before = await rowsRead(trx)
        const { rows, upTo } = await findChanges(trx, after, filter, accounts, 100)
        return { ids: rows.map(({ id }) => Number(id)), upTo, read: (await rowsRead(trx)) - before }
      })
  const questions: [ChangeFilter, Accounts, number[]][] = [
    [{}, [other], [7, 30_000, 59_990]],
    [{}, [quiet, other], [7, 30_000, 40_000, 59_990]],
    // as a token may name it
    [{}, [other, other], [7, 30_000, 59_990]],
    [{ accountName: other }, '*', [7, 30_000, 59_990]],
    [{ accountName: quiet }, [account, quiet], [40_000]],
    [{ accountName: other }, [account], []],
    [{ accountName: '0000000000-00001' }, '*', []],
    [{ iccid: '899990000000000001' }, '*', [8, 30_001]],
    [{ iccid: '899990000000000001' }, [account], [8, 30_001]],
    [{ iccid: '899990000000000001', accountName: account, requestId: 'many' }, '*', [8, 30_001]],
    [{ requestId: 'few' }, [account, other], [11, 20_011, 40_011]],
    [{ requestId: 'few' }, [other], []],
  ]
  for (const [filter, accounts, expected] of questions) {
    const title = JSON.stringify([filter, accounts])
    const { ids, upTo, read } = await find(0n, filter, accounts)
    t.strictSame(ids, expected, title)
    t.equal(upTo, 60_000n, `${title}: to the end of the feed`)
    t.ok(read <= 3 * expected.length + 10, `${title} reads ${read} rows`)
  }
  for (const accounts of ['*', [account], [other, account]] as const) {
    const { ids, upTo, read } = await find(100n, {}, accounts)
    t.strictSame([ids.length, upTo], [100, 200n])
    t.ok(read <= 400, `a page of ${accounts} reads ${read} rows`)
  }
})
