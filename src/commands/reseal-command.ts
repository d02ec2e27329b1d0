import { parseArgs } from 'node:util'
import { readConfig } from '../config.ts'
import { openDatabase } from '../database/pool.ts'
import { describeError } from '../log.ts'
import { type Resealed, reseal } from '../secrets/reseal.ts'
import { createSealer, keyIdOf } from '../secrets/sealer.ts'
import { withoutAddress } from './command-database.ts'
import { CannotDo, command } from './command-line.ts'

const usage = `npm run reseal -- [--help]

  Seals everything that is sealed under a previous key anew, under the current one, while the service runs. It can be
  stopped at any time and run again. To rotate SEAL_KEY without a gap, with any number of replicas:

  1. Add the new key to SEAL_KEYS_PREVIOUS of every replica: all of them can open what it seals.
  2. Make it SEAL_KEY of every replica, and put the old one into SEAL_KEYS_PREVIOUS.
  3. Run this with the same two, as often as needed, until it ends with 0. Then take the old key away.

  Exit code: 0 everything is under the current key, 1 something is not, 2 wrong usage.

  DATABASE_URL, SEAL_KEY and SEAL_KEYS_PREVIOUS as for the service
`

const sayEveryMs = 1_000

export const resealCommand = command(usage, async (args, { env, say }) => {
  parseArgs({ args, options: {} })
  const { databaseUrl, sealKey, sealKeysPrevious } = readConfig(withoutAddress(env))
  if (databaseUrl === null || sealKey === null) {
    throw new CannotDo('set DATABASE_URL, SEAL_KEY and SEAL_KEYS_PREVIOUS as for the service')
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
    for (const line of summary(outcome, current, previousKeyIds)) say(line)
    return outcome.left.size > 0 ? 1 : 0
  } catch (error) {
    // The error itself may quote rows.
    const problem = JSON.stringify(describeError(error))
    throw new CannotDo(`stopped; what was sealed anew stays so, run it again: ${problem}`, { cause: error })
  } finally {
    await db.destroy()
  }
})

function summary({ resealed, left, damaged }: Resealed, current: string, previousKeyIds: string[]): string[] {
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
