import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { openPipelinedDatabase, type PipelinedDatabase } from '../../src/database/pipeline.ts'
import { nextCallbackId } from '../../src/receiving/callback-id.ts'
import { createCallbackWriter } from '../../src/receiving/callback-writer.ts'
import { createSealer } from '../../src/secrets/sealer.ts'
import { readJsonMessage } from '../../src/thingspace/json-message.ts'
import { connection } from '../fixtures/connection.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account } from '../fixtures/service.ts'

const keys = { sealer: createSealer(Buffer.alloc(32, 1)), fingerprintKey: Buffer.alloc(32, 2) }

function message(n: number, state: string) {
  const bytes = Buffer.from(JSON.stringify(makeCallback({ requestId: `request-${n}`, ...device(n), state })))
  const json = readJsonMessage(bytes)
  if (!json.ok) throw new Error('it is JSON')
  return { id: nextCallbackId(), accountName: account, serviceName: 'CarrierService', bytes, json }
}

t.test('a callback whose batch fails again after it was set aside is written and counted once', async t => {
  const url = await createTestDatabase(t)
  const db = openPipelinedDatabase(connection(url))
  const holder = new pg.Client({ connectionString: url })
  await holder.connect()
  t.teardown(() => Promise.all([db.destroy(), holder.end()]))
  const failing = ['55P03', null, '40001']
  let isBusy = false
  const troubled: PipelinedDatabase = {
    ...db,
    async transaction(work) {
      const code = isHeld ? failing.shift() : null
      if (code) throw Object.assign(new Error('as if another held a row, then won a race'), { code })
      if (isBusy) await pause(300)
      return db.transaction(work)
    },
  }
  let isHeld = false
  const writer = createCallbackWriter(troubled, { keys: () => keys, transactions: 1 })
  await writer.store(message(1, 'ACTIVE'))
  await holder.query('begin')
  await holder.query('select from profiles for update')
  isHeld = true
  const held = writer.store(message(1, 'SUSPEND'))
  await writer.store(message(2, 'ACTIVE'))
  t.strictSame(failing, [], 'the batch failed twice')
  // Meanwhile it is given again, and finds all transactions under way.
  isBusy = true
  const another = writer.store(message(3, 'ACTIVE'))
  await holder.query('rollback')
  await Promise.all([held, another])
  const { rows } = await holder.query('select times_seen as times from callbacks order by id')
  t.strictSame(
    rows.map(({ times }) => Number(times)),
    [1, 1, 1, 1],
  )
})
