import assert from 'node:assert/strict'
import { identifiersOf, requestIds } from '../fixtures/model-messages.ts'
import type { ModelService } from '../fixtures/model-service.ts'
import type { Row } from '../fixtures/service.ts'
import { profileNames } from './check-profiles.ts'
import { pause } from './ledger.ts'

export interface Reader {
  /** Rejects with the first thing that should never have been seen. */
  stop: () => Promise<void>
}

/** What a result may become in the eyes of one who looks again and again. */
const mayBecome: Record<string, string[]> = {
  pending: ['pending', 'warning', 'succeeded', 'failed', 'conflict'],
  warning: ['warning', 'succeeded', 'failed', 'conflict'],
  succeeded: ['succeeded', 'conflict'],
  failed: ['failed', 'conflict'],
  conflict: ['conflict'],
}

/** Invariants 6 and 9, while everything else is going on: no settled result unsettled, nothing of another account. */
export function startReader(service: ModelService, accounts: readonly string[]): Reader {
  let stopped = false
  const results = new Map<string, string>()
  const versions = new Map<string, number>()
  const running = read()
  running.catch(() => undefined)

  async function read(): Promise<void> {
    for (let round = 0; !stopped; round += 1) {
      const account = accounts[round % accounts.length] as string
      const requestId = requestIds[(round >> 1) % requestIds.length] as string
      await readTargets(account, requestId, round)
      const { iccid } = identifiersOf(profileNames[round % profileNames.length] ?? { device: 0, profile: 0 })
      await readProfile(account, iccid, round)
      await pause(10)
    }
  }

  async function readTargets(account: string, requestId: string, replica: number): Promise<void> {
    const path = `/v1/activations/${requestId}`
    const { status, body } = await service.call(account, 'GET', path, { replica })
    if (status !== 200) return
    seesOnlyItsOwn(account, body)
    const { targets: sum, ...counts } = body.counts as Record<string, number>
    assert.equal(
      Object.values(counts).reduce((total, count) => total + count, 0),
      sum,
      'counts are a sum at any time',
    )
    const targets = await service.call(account, 'GET', `${path}/targets`, { replica })
    assert.equal(targets.status, 200)
    seesOnlyItsOwn(account, targets.body)
    targets.body.items.forEach((target: Row, n: number) => {
      const key = `${account} ${requestId} ${n}`
      const before = results.get(key) ?? 'pending'
      assert.ok(mayBecome[before]?.includes(target.result), `${key}: ${before} was seen to become ${target.result}`)
      results.set(key, target.result)
    })
  }

  async function readProfile(account: string, iccid: string, replica: number): Promise<void> {
    const { status, body } = await service.call(account, 'GET', `/v1/profiles/${iccid}`, { replica })
    if (status !== 200) return
    seesOnlyItsOwn(account, body)
    const key = `${account} ${iccid}`
    assert.ok(body.version >= (versions.get(key) ?? 0), `${key}: a version never goes back`)
    versions.set(key, body.version)
    const { requestId, result } = body.lastResult
    const word = `${key} ${requestId}`
    assert.ok(mayBecome[results.get(word) ?? 'pending']?.includes(result), `${word} became ${result}`)
    results.set(word, result)
  }

  function seesOnlyItsOwn(account: string, body: unknown): void {
    const text = JSON.stringify(body)
    for (const other of accounts) {
      assert.ok(other === account || !text.includes(other), `an answer to ${account} shows something of ${other}`)
    }
  }

  return {
    stop: async () => {
      stopped = true
      await running
    },
  }
}
