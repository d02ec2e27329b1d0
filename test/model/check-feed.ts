import assert from 'node:assert/strict'
import type { ModelService } from '../fixtures/model-service.ts'
import type { Row } from '../fixtures/service.ts'
import { statusOf } from './contract.ts'
import type { Observed } from './observe.ts'

const settled = new Set(['succeeded', 'failed'])

/**
 * The feed tells the whole story in order: replayed, it leads to the counts and states that are shown; no step takes a
 * settled result back; every cause is a callback that is stored.
 */
export async function checkFeed(service: ModelService, { account, callbacks, activations }: Observed): Promise<void> {
  const changes = await service.sql('select * from changes where account_name = $1 order by id', [account])
  const verdicts = new Map(callbacks.map(({ callbackId, verdict }) => [callbackId as string, verdict as string]))
  for (const change of changes) {
    if (change.source !== 'callback') continue
    const verdict = verdicts.get(change.callback_id)
    assert.ok(verdict, `change ${change.id} comes from a callback that is stored`)
    if (change.kind === 'result') assert.equal(verdict, 'applied', `change ${change.id} is what its callback did`)
  }
  for (const activation of activations.values()) {
    const { requestId } = activation
    const steps = changes.filter(({ request_id, kind }) => request_id === requestId && kind !== 'profile')
    const [{ asked } = { asked: 0 }] = await service.sql(
      `select count(*)::int as asked from targets t join activations a on a.id = t.activation_id
       where a.account_name = $1 and a.request_id = $2 and requested`,
      [account, requestId],
    )
    if (activation.recorded) await checkSteps(service, account, requestId, steps, asked)
    else assert.deepEqual(steps, [], `${requestId} is not recorded, so it has no steps`)
  }
  for (const [iccid, steps] of Map.groupBy(
    changes.filter(({ kind }) => kind === 'profile'),
    ({ iccid }) => iccid,
  )) {
    assert.deepEqual(
      steps.map(({ profile }) => profile.version),
      steps.map((_, n) => n + 1),
      `the versions of ${iccid} are numbered in the order of the feed`,
    )
  }
}

async function checkSteps(service: ModelService, account: string, requestId: string, steps: Row[], asked: number) {
  const [first, ...rest] = steps
  assert.deepEqual([first.kind, first.was], ['activation', null], `the feed of ${requestId} starts with its record`)
  const counts: Record<string, number> = { pending: asked, warning: 0, succeeded: 0, failed: 0, conflict: 0 }
  const shown: Row = { ...first.becomes }
  for (const { id, kind, was, becomes } of rest) {
    if (kind === 'activation') {
      for (const [name, value] of Object.entries(was ?? {})) assert.equal(shown[name], value, `change ${id} goes on`)
      Object.assign(shown, becomes)
      assert.equal(shown.status, statusOf(sums(counts)), `change ${id}: the status is that of the counts`)
      continue
    }
    const [from, to] = [was?.result ?? null, becomes.result]
    assert.ok(from === null || !settled.has(from) || to === 'conflict', `change ${id}: ${from} never becomes ${to}`)
    assert.notEqual(from, 'conflict', `change ${id}: nothing said so far settles a conflict`)
    if (from !== null) counts[from] = (counts[from] ?? 0) - 1
    counts[to] = (counts[to] ?? 0) + 1
    assert.ok(
      Object.values(counts).every(count => count >= 0),
      `change ${id}: nobody was ${from}`,
    )
  }
  const { body } = await service.call(account, 'GET', `/v1/activations/${requestId}`)
  assert.deepEqual(sums(counts), body.counts, `the feed of ${requestId} leads to its counts`)
  assert.equal(shown.status, body.status, `the feed of ${requestId} leads to its status`)
}

function sums({ pending = 0, warning = 0, succeeded = 0, failed = 0, conflict = 0 }: Record<string, number>) {
  const targets = pending + warning + succeeded + failed + conflict
  return { targets, pending, warning, succeeded, failed, conflict }
}
