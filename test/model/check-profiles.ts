import assert from 'node:assert/strict'
import { deviceSecret, identifiersOf, type ProfileName } from '../fixtures/model-messages.ts'
import type { ModelService } from '../fixtures/model-service.ts'
import type { Answer, Row } from '../fixtures/service.ts'
import { isTied, profileOf } from './contract.ts'
import { listAll, type Observed, wordsOf } from './observe.ts'

export const profileNames: ProfileName[] = [0, 1, 2].flatMap(device => [
  { device, profile: 0 },
  { device, profile: 1 },
])

/** Every profile says what was said of it last, its history leads there, and any time can be asked for. */
export async function checkProfiles(service: ModelService, observed: Observed): Promise<void> {
  for (const name of profileNames) await checkProfile(service, observed, name)
  for (const device of [0, 1, 2]) await checkDevice(service, observed, device)
}

export async function checkProfile(service: ModelService, observed: Observed, name: ProfileName): Promise<void> {
  const { account } = observed
  const { iccid } = identifiersOf(name)
  const path = `/v1/profiles/${iccid}`
  const answer = await service.call(account, 'GET', path)
  const words = wordsOf(observed, iccid)
  const expected = profileOf(words)
  if (expected === null) {
    assert.equal(answer.status, 404, `nothing was said of ${iccid}`)
    return
  }
  assert.equal(answer.status, 200, iccid)
  const { body } = answer
  assert.deepEqual([body.accountName, body.flags], [account, []], iccid)
  if (!isTied(words)) {
    const { faultCodes, credentialFrom, requestId, result, ...facts } = expected
    assert.deepEqual(
      { ...pick(body, Object.keys(facts)), requestId: body.lastResult.requestId, result: body.lastResult.result },
      { ...facts, requestId, result },
      `the profile ${iccid}`,
    )
    assert.ok(faultCodes.includes(body.lastResult.faultCode), `${body.lastResult.faultCode} was said of ${iccid}`)
    await checkCredential(service, account, path, credentialFrom)
  }
  await checkTag(service, account, path, answer)
  await checkHistory(service, account, path, body)
}

async function checkCredential(service: ModelService, account: string, path: string, from: string | null) {
  const { status, body } = await service.call(account, 'GET', `${path}/credential`)
  if (from === null) assert.equal(status, 404, `${path} has no credential`)
  else assert.deepEqual([status, body.password, body.callbackId], [200, deviceSecret, from], `${path}/credential`)
}

export async function checkTag(service: ModelService, account: string, path: string, answer: Answer): Promise<void> {
  const tag = answer.headers.get('etag')
  assert.match(tag ?? '', /^"[^"]+"$/, `${path} has a strong ETag`)
  const headers = { 'if-none-match': tag ?? '' }
  const again = await service.call(account, 'GET', path, { headers, replica: 1 })
  assert.equal(again.status, 304, `${path} is unchanged`)
}

async function checkHistory(service: ModelService, account: string, path: string, profile: Row): Promise<void> {
  const history = (await listAll(service, account, `${path}/history`, 2)).reverse()
  assert.equal(profile.version, history.length, `${path}: the version is the number of changes`)
  const replayed: Row = {}
  history.forEach((change, n) => {
    const { from, to } = change
    assert.equal(from === null, n === 0, `${path}: only the first change comes from nothing`)
    if (from !== null)
      assert.deepEqual(from, pick(replayed, Object.keys(from)), `${path}: change ${n} starts where ${n - 1} ended`)
    if (from !== null) assert.deepEqual(Object.keys(to).sort(), Object.keys(from).sort())
    Object.assign(replayed, to)
    assert.ok(n === 0 || change.at >= history[n - 1].at, `${path}: times never go back`)
    assert.equal(change.accountName, account)
  })
  assert.deepEqual(replayed, pick(profile, ['state', 'profileStatus', 'profileRole', 'servicePlan']), `${path}/history`)
  assert.equal(profile.changedAt, history.at(-1)?.at, `${path}: changed with its last change`)

  const asOf = (time: string) => service.call(account, 'GET', `${path}?asOf=${encodeURIComponent(time)}`)
  const before = new Date(Date.parse(history[0].at) - 1).toISOString()
  assert.equal((await asOf(before)).status, 404, `${path} was not known before its first change`)
  const { confirmedAt: _, ...last } = (await asOf(profile.changedAt)).body
  const { confirmedAt: __, ...current } = profile
  assert.deepEqual(last, current, `${path} as of its last change is as it is`)
  const middle = history[Math.floor(history.length / 2)]
  const then = await asOf(middle.at)
  const last3 = history.findLastIndex(({ at }) => at <= middle.at)
  assert.equal(then.body.version, last3 + 1, `${path} as of change ${last3}`)
}

export async function checkDevice(service: ModelService, observed: Observed, device: number): Promise<void> {
  const { account } = observed
  const { eid, imei } = identifiersOf({ device, profile: 0 })
  const known = profileNames
    .filter(name => name.device === device)
    .map(name => identifiersOf(name).iccid)
    .map(iccid => ({ iccid, profile: profileOf(wordsOf(observed, iccid)) }))
    .filter(({ profile }) => profile !== null)
  const withEid = known.filter(({ profile }) => profile?.eid === eid).map(({ iccid }) => iccid)
  const answer = await service.call(account, 'GET', `/v1/devices/EID/${eid}`)
  assert.equal(answer.status, withEid.length === 0 ? 404 : 200, `the device ${eid}`)
  if (withEid.length > 0) {
    assert.deepEqual(iccidsIn(answer.body), withEid.sort(), `the profiles of ${eid}`)
    assert.equal(answer.body.eid, eid)
    const byImei = await service.call(account, 'GET', `/v1/devices/imei/${imei}`)
    assert.deepEqual(byImei.body, answer.body, 'a device is the same by any of its identifiers')
    await checkTag(service, account, `/v1/devices/EID/${eid}`, answer)
  }
  for (const { iccid, profile } of known) {
    const { body } = await service.call(account, 'GET', `/v1/devices/iccid/${iccid}`)
    assert.deepEqual(iccidsIn(body), profile?.eid === null ? [iccid] : withEid, `the device of ${iccid}`)
  }
}

function iccidsIn(body: Row): string[] {
  return body.profiles.map(({ iccid }: Row) => iccid).sort()
}

function pick(from: Row, names: readonly string[]): Row {
  return Object.fromEntries(names.map(name => [name, from[name]]))
}

/** For comparing two accounts that were told the same: all of it but versions, ids and times. */
export async function profileShown(service: ModelService, account: string, iccid: string): Promise<string> {
  const { status, body } = await service.call(account, 'GET', `/v1/profiles/${iccid}`)
  const { version: _, changedAt: __, confirmedAt: ___, ...rest } = body
  return JSON.stringify({ status, ...rest }).replaceAll(account, 'ACCOUNT')
}
