// Rotating SEAL_KEY without a gap, with several replicas:
//   1. Add the new key to SEAL_KEYS_PREVIOUS of every replica: all can open what it seals.
//   2. Make it SEAL_KEY of every replica, and the old one SEAL_KEYS_PREVIOUS.
//   3. Run this with the same two, as often as needed, until it ends with 0. Then take the old key away.
import { readConfig } from '../config.ts'
import { openDatabase } from '../database/pool.ts'
import { describeError } from '../log.ts'
import { type Resealed, reseal } from '../secrets/reseal.ts'
import { createSealer, keyIdOf } from '../secrets/sealer.ts'

const sayEveryMs = 1_000

const { databaseUrl, sealKey, sealKeysPrevious } = readConfig(process.env)
if (databaseUrl === null || sealKey === null) {
  process.stderr.write('set DATABASE_URL, SEAL_KEY and SEAL_KEYS_PREVIOUS as for the service\n')
  process.exit(1)
}
const current = keyIdOf(sealKey)
const previousKeyIds = sealKeysPrevious.map(keyIdOf)
const db = openDatabase({
  url: databaseUrl,
  name: 'thingspace reseal',
  connections: 2,
  statementTimeoutMs: 12 * 3_600_000,
  lockTimeoutMs: 3_600_000,
  connectionTimeoutMs: 10_000,
  onConnectionError: () => undefined,
})
let saidAt = 0
try {
  say(`sealing everything under the key ${current}; previous keys: ${previousKeyIds.join(', ') || 'none'}`)
  const outcome = await reseal(db, {
    sealer: createSealer(sealKey, sealKeysPrevious),
    previousKeyIds,
    onProgress(done, of) {
      if (Date.now() - saidAt < sayEveryMs) return
      saidAt = Date.now()
      say(`sealed anew: ${done} of ${of}`)
    },
    onNoIndex: error =>
      say(`without an index, this run reads the whole table: ${JSON.stringify(describeError(error))}`),
  })
  for (const line of summary(outcome)) say(line)
  if (outcome.left.size > 0) process.exitCode = 1
} catch (error) {
  // The error itself may quote rows.
  process.stderr.write(
    `stopped; what was sealed anew stays so, run it again: ${JSON.stringify(describeError(error))}\n`,
  )
  process.exitCode = 1
} finally {
  await db.destroy()
}

function summary({ resealed, left, damaged }: Resealed): string[] {
  if (left.size === 0) return [`done: ${resealed} sealed anew, everything is under the key ${current}`]
  const reasons = [...left].map(([keyId, count]) =>
    previousKeyIds.includes(keyId)
      ? `  ${count} under the key ${keyId}, which is here: damaged, held by others, or a service still seals with it`
      : `  ${count} under the key ${keyId}, which is missing: add it to SEAL_KEYS_PREVIOUS`,
  )
  const broken = damaged.slice(0, 20).map(name => `  damaged, does not open: ${name}`)
  const more = damaged.length > broken.length ? [`  and ${damaged.length - broken.length} more`] : []
  return [`NOT done: ${resealed} sealed anew; not under the key ${current} are`, ...reasons, ...broken, ...more]
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
