import type { LedgerEntry } from '../simulator/ledger.ts'
import type { Activation, Api, Profile, StoredCallback } from './demo-api.ts'
import { faultCodeOf, iccidOf, profileResponseOf } from './demo-ledger.ts'
import { activationPath, type Told } from './demo-story.ts'

export interface Comparison {
  /** One row per profile, the header row first. */
  table: string[][]
  messages: number
  posts: number
  profiles: number
  /** What the carrier sent and the API does not show, as sentences. */
  missing: string[]
}

const resultOf: Record<string, string> = { success: 'succeeded', fault: 'failed', warning: 'warning' }

/** Compares the carrier's own list of what it sent with what the API says now. */
export async function compare(api: Api, ledger: readonly LedgerEntry[], told: readonly Told[]): Promise<Comparison> {
  const table = [['#', 'profile (ICCID)', 'carrier sent', '|', 'API: callbacks', 'result', 'state', 'status', 'role']]
  const missing: string[] = []
  for (const { step, requestId } of told) {
    if (requestId === null) continue
    const callbacks = await api.get<{ items: StoredCallback[] }>(`${activationPath(requestId)}/callbacks?limit=1000`)
    const stored = callbacks.body?.items ?? []
    for (const { iccid } of step.profiles) {
      const sent = ledger.filter(entry => entry.requestId === requestId && iccidOf(entry) === iccid)
      const { body: profile } = await api.get<Profile>(`/v1/profiles/${iccid}`)
      const kept = stored.filter(callback => named(callback, iccid))
      missing.push(...compareCallbacks(iccid, sent, kept), ...compareProfile(iccid, requestId, sent, profile))
      table.push([
        `${step.number}`,
        iccid,
        sent.map(describeSent).join(', then '),
        '|',
        describeKept(kept),
        ...shown(profile),
      ])
    }
    const { body: activation } = await api.get<Activation>(activationPath(requestId))
    missing.push(...compareCounts(requestId, step.profiles.length, activation))
  }
  const posts = ledger.reduce((sum, { attempts }) => sum + attempts.length, 0)
  return { table, messages: ledger.length, posts, profiles: table.length - 1, missing }
}

function named({ deviceIds }: StoredCallback, iccid: string): boolean {
  return deviceIds.some(({ kind, id }) => kind === 'iccid' && id === iccid)
}

/** Each message must be kept once, and counted every time it was accepted. */
function compareCallbacks(iccid: string, sent: readonly LedgerEntry[], kept: readonly StoredCallback[]): string[] {
  return sent.flatMap(entry => {
    const accepted = entry.attempts.filter(({ outcome }) => outcome === 'ok').length
    const what = `${iccid}: the ${entry.says} callback`
    if (accepted === 0) return [`${what} was not accepted (${entry.outcome})`]
    const matching = kept.filter(({ result }) => result === resultOf[entry.says])
    const [callback] = matching
    if (callback === undefined) return [`${what} was accepted, and is not among the stored ones`]
    if (matching.length > 1) return [`${what} was stored ${matching.length} times`]
    if (callback.timesSeen < accepted) return [`${what} came ${accepted} times, and was counted ${callback.timesSeen}`]
    return []
  })
}

function compareProfile(
  iccid: string,
  requestId: string,
  sent: readonly LedgerEntry[],
  profile: Profile | null,
): string[] {
  const last = sent.findLast(({ says }) => says !== 'warning')
  if (last === undefined) return [`${iccid}: the carrier sent no final word`]
  if (profile === null) return [`${iccid}: the API does not know the profile`]
  const { state = null, profileStatus = null, profileRole = null } = profileResponseOf(last.body)
  const { lastResult } = profile
  const faultCode = faultCodeOf(last.body)
  const expected = { requestId, result: resultOf[last.says], faultCode, state, profileStatus, profileRole }
  const says = {
    requestId: lastResult.requestId,
    result: lastResult.result,
    faultCode: lastResult.faultCode,
    state: profile.state,
    profileStatus: profile.profileStatus,
    profileRole: profile.profileRole,
  }
  const names = Object.keys(expected) as (keyof typeof expected)[]
  return names.flatMap(name =>
    says[name] === expected[name] ? [] : [`${iccid}: ${name} is ${says[name]}, the carrier sent ${expected[name]}`],
  )
}

function compareCounts(requestId: string, asked: number, activation: Activation | null): string[] {
  if (activation === null) return [`${requestId}: the API does not know the activation`]
  const { targets, succeeded, failed } = activation.counts
  if (targets === asked && succeeded + failed === asked) return []
  return [`${requestId}: ${asked} profiles were asked for, ${succeeded + failed} of ${targets} are settled`]
}

function describeSent({ says, attempts, marks }: LedgerEntry): string {
  const times = attempts.length > 1 ? ` ${attempts.length} times` : ''
  return `${says}${times}${marks.includes('early') ? ' too early' : ''}`
}

function describeKept(kept: readonly StoredCallback[]): string {
  const times = kept.reduce((sum, { timesSeen }) => sum + timesSeen, 0)
  return `${kept.length} kept${times > kept.length ? `, ${times} seen` : ''}`
}

function shown(profile: Profile | null): string[] {
  if (profile === null) return ['unknown', '-', '-', '-']
  const { lastResult, state, profileStatus, profileRole } = profile
  return [lastResult.result, state ?? '-', profileStatus ?? '-', profileRole ?? '-']
}
