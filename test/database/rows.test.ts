import assert from 'node:assert/strict'
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { openPipelinedDatabase } from '../../src/database/pipeline.ts'
import { rowsOf } from '../../src/database/rows.ts'
import { connection } from '../fixtures/connection.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'

const db = openPipelinedDatabase(connection(await createEmptyDatabase(t), { connections: 1 }))
t.teardown(() => db.destroy())

/** PostgreSQL has no zero byte in a text. */
const text = fc.string({ unit: 'grapheme' }).map(value => value.replaceAll('\0', ''))
const json = fc.oneof(
  fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean()), { noNullPrototype: true }),
  fc.array(text),
)
const row = fc.record({
  words: fc.option(text),
  number: fc.option(fc.integer({ min: -2_147_483_648, max: 2_147_483_647 })),
  yes: fc.option(fc.boolean()),
  at: fc.option(fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })),
  bytes: fc.option(fc.uint8Array().map(bytes => Buffer.from(bytes))),
  document: fc.option(json),
  written: fc.option(json.map(value => JSON.stringify(value))),
})
const columns = 'words text, number integer, yes boolean, at timestamptz, bytes bytea, document json, written jsontext'

t.test('rows arrive as they were given, in their order, whatever stands in them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 12 }), async rows => {
      const { rows: arrived } = await db.transaction(async trx => ({
        written: sql`select * from ${rowsOf(rows, columns)}`.execute(trx),
      }))
      const plain = (list: readonly unknown[]) => list.map(one => ({ ...(one as object) }))
      assert.deepStrictEqual(plain(arrived), plain(rows))
    }),
    { numRuns: 150 },
  )
})
