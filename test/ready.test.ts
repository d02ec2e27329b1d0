import pg from 'pg'
import t from 'tap'
import { readConfig } from '../src/config.ts'
import { createLog } from '../src/log.ts'
import { startService } from '../src/service.ts'
import { account } from './fixtures/account.ts'
import { until } from './fixtures/carrier.ts'
import { createTestDatabase } from './fixtures/database.ts'
import { makeCallback } from './fixtures/make-callback.ts'
import { startTestService } from './fixtures/service.ts'

t.test('a service is not ready before it knows its keys and listeners, though its database is reached', async t => {
  const databaseUrl = await createTestDatabase(t)
  const first = await startTestService(t, { DATABASE_URL: databaseUrl })
  await first.opened
  await first.close()
  const holder = new pg.Client(databaseUrl)
  await holder.connect()
  await holder.query('begin')
  await holder.query('lock table sealed_keys')

  const key = Buffer.alloc(32, 7).toString('base64')
  const config = readConfig({ PORT: '0', DATABASE_URL: databaseUrl, SEAL_KEY: key, LOG_LEVEL: 'silent' })
  const service = await startService(config, createLog('silent'))
  t.teardown(async () => {
    await holder.end()
    await service.close()
  })
  const ready = () => fetch(`${service.url}/health/ready`)
  const body = JSON.stringify(makeCallback())
  const callback = () => fetch(`${service.url}/callbacks/${account}/CarrierService`, { method: 'POST', body })
  await until(
    async () => (await ready()).text(),
    answer => answer.includes('"starting"'),
  )
  t.equal((await callback()).status, 503)
  await holder.query('rollback')
  await until(ready, ({ status }) => status === 200)
  t.equal((await callback()).status, 200)
})
