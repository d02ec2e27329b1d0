import type { Kysely } from 'kysely'
import { faultOf, resultOf, sourceOf } from '../activations/result.ts'
import { columnsOf } from '../database/columns.ts'
import { rows, statement } from '../database/statement.ts'
import type { Tables } from '../database/tables.ts'
import { together } from '../database/together.ts'
import { type Write, writeTogether } from '../database/write-together.ts'
import { appendChanges } from './append-changes.ts'
import type { ActivationState, Change, ProfileState, TargetState, WorkingSet } from './working-set.ts'

/**
 * Writes whatever was touched and what belongs to it. Changes come last, since their lock is held from there to the
 * commit. If another transaction made a new profile first, its key is violated and the work starts over.
 */
export async function saveWorkingSet(
  db: Kysely<Tables>,
  set: WorkingSet,
  alongside: readonly Write[] = [],
): Promise<void> {
  const targets = [...set.targets.values()].flat().filter(isTouched)
  const profiles = [...set.profiles.values()].filter(isTouched).flatMap(profileRow)
  const activations = [...set.activations.values()].filter(isTouched)
  const writes: Write[] = [
    { statement: insertTargets, rows: targets.filter(({ isNew }) => isNew).map(targetRow) },
    { statement: updateTargets, rows: targets.filter(({ isNew }) => !isNew).map(targetRow) },
    { statement: insertProfiles, rows: profiles.filter(({ loaded_version }) => loaded_version === 0) },
    { statement: updateProfiles, rows: profiles.filter(({ loaded_version }) => loaded_version > 0) },
    { statement: updateActivations, rows: activations.map(activationRow) },
    {
      statement: askAnew,
      rows: activations.filter(one => isContradicted(set, one)).map(({ id }) => ({ id, now: set.now })),
    },
  ]
  await together([writeTogether(db, [...alongside, ...writes]), appendChanges(db, set.changes)])
}

/** One that is overdue already: of any other a conflict makes it so, and then the carrier is asked about it. */
function isContradicted({ changes }: WorkingSet, { accountName, requestId, overdue }: ActivationState): boolean {
  return overdue && changes.some(change => isConflict(change) && isOf(change))

  function isConflict({ kind, source, becomes }: Change): boolean {
    return kind === 'result' && source === 'callback' && becomes.result === 'conflict'
  }

  function isOf(change: Change): boolean {
    return change.requestId === requestId && change.accountName === accountName
  }
}

function isTouched({ touched }: { touched: boolean }): boolean {
  return touched
}

const told = `learned_eid, learned_iccid, learned_imei, evidence, result, fault_code, fault_message, source, callbacks,
  overdue, first_result_at, settled_at`
const targetColumns = `activation_id bigint, number integer, requested boolean, eid text, iccid text, imei text,
  learned_eid text, learned_iccid text, learned_imei text, evidence json, result text, fault_code text,
  fault_message text, source text, callbacks integer, overdue boolean, first_result_at timestamptz,
  settled_at timestamptz`
const profileColumns = `iccid text, account_name text, eid text, imei text, mdn text, msisdn text, state text,
  profile_status text, profile_role text, service_plan text, address_update json, credential_callback_id uuid,
  credential_digest text, activation_id bigint, evidence json, result text, fault_code text, fault_message text,
  source text, spoken_submitted_at timestamptz, spoken_final boolean, spoken_at timestamptz, spoken_by uuid,
  changed_at timestamptz, confirmed_at timestamptz, version integer`
const activationColumns = `id bigint, settled_at timestamptz, status text, overdue boolean, targets integer,
  pending integer, warning integer, succeeded integer, failed integer, conflict integer, version integer`

const insertTargets = statement`
  insert into targets (activation_id, number, requested, eid, iccid, imei, ${told})
  select activation_id, number, requested, eid, iccid, imei, ${told} from ${rows(targetColumns)}`

const updateTargets = statement`
  update targets t set
    learned_eid = r.learned_eid, learned_iccid = r.learned_iccid, learned_imei = r.learned_imei,
    evidence = r.evidence, result = r.result, fault_code = r.fault_code, fault_message = r.fault_message,
    source = r.source, callbacks = r.callbacks, overdue = r.overdue, first_result_at = r.first_result_at,
    settled_at = r.settled_at
  from ${rows(targetColumns)}
  where t.activation_id = r.activation_id and t.number = r.number`

const insertProfiles = statement`
  insert into profiles (${namesOf(profileColumns)}) select * from ${rows(profileColumns)} order by iccid, account_name`

function namesOf(columns: string): string {
  return columnsOf(columns)
    .map(({ name }) => name)
    .join(', ')
}

/** These rows have been locked since they were loaded. */
const updateProfiles = statement`
  update profiles p set
    eid = r.eid, imei = r.imei, mdn = r.mdn, msisdn = r.msisdn, state = r.state,
    profile_status = r.profile_status, profile_role = r.profile_role, service_plan = r.service_plan,
    address_update = r.address_update, credential_callback_id = r.credential_callback_id,
    credential_digest = r.credential_digest, activation_id = r.activation_id, evidence = r.evidence,
    result = r.result, fault_code = r.fault_code, fault_message = r.fault_message, source = r.source,
    spoken_submitted_at = r.spoken_submitted_at, spoken_final = r.spoken_final, spoken_at = r.spoken_at,
    spoken_by = r.spoken_by, changed_at = r.changed_at, confirmed_at = r.confirmed_at, version = r.version
  from ${rows(profileColumns)}
  where p.iccid = r.iccid and p.account_name = r.account_name`

const updateActivations = statement`
  update activations a set
    settled_at = r.settled_at, status = r.status, overdue = r.overdue, targets = r.targets, pending = r.pending,
    warning = r.warning, succeeded = r.succeeded, failed = r.failed, conflict = r.conflict, version = r.version
  from ${rows(activationColumns)}
  where a.id = r.id`

/** Soon where it is still asked about, and also where that is going on now; from the beginning where that has stopped. */
const askAnew = statement`
  update polls p set
    polls = case when p.stopped_at is null then p.polls else 0 end,
    next_poll_at = case when p.stopped_at is null then least(p.next_poll_at, r.now + interval '30 seconds') else r.now end,
    stopped_at = null, stopped_because = null
  from ${rows('id bigint, now timestamptz')}
  where p.activation_id = r.id`

/** What messages have said about a target, and its name. */
function targetRow(target: TargetState) {
  const fault = faultOf(target.evidence)
  return {
    activation_id: target.activationId,
    number: target.number,
    requested: target.requested,
    eid: target.eid,
    iccid: target.iccid,
    imei: target.imei,
    learned_eid: target.learned.eid,
    learned_iccid: target.learned.iccid,
    learned_imei: target.learned.imei,
    evidence: target.evidence,
    result: resultOf(target.evidence),
    fault_code: fault.code,
    fault_message: fault.message,
    source: sourceOf(target.evidence),
    callbacks: target.callbacks,
    overdue: target.overdue,
    first_result_at: target.firstResultAt,
    settled_at: target.settledAt,
  }
}

function profileRow({ profile, ...state }: ProfileState) {
  if (profile === null) return []
  const fault = faultOf(profile.evidence)
  return [
    {
      iccid: state.iccid,
      account_name: state.accountName,
      eid: profile.eid,
      imei: profile.imei,
      mdn: profile.mdn,
      msisdn: profile.msisdn,
      state: profile.state,
      profile_status: profile.profileStatus,
      profile_role: profile.profileRole,
      service_plan: profile.servicePlan,
      address_update: profile.addressUpdate,
      credential_callback_id: profile.credentialCallbackId,
      credential_digest: profile.credentialDigest,
      activation_id: profile.activationId,
      evidence: profile.evidence,
      result: resultOf(profile.evidence),
      fault_code: fault.code,
      fault_message: fault.message,
      source: sourceOf(profile.evidence) ?? 'callback',
      spoken_submitted_at: profile.lastWord.submittedAt,
      spoken_final: profile.lastWord.final,
      spoken_at: profile.lastWord.at,
      spoken_by: profile.lastWord.sourceId,
      changed_at: state.changedAt,
      confirmed_at: state.confirmedAt,
      version: state.version,
      loaded_version: state.loadedVersion,
    },
  ]
}

function activationRow({ id, settledAt, status, overdue, counts, version }: ActivationState) {
  return { id, settled_at: settledAt, status, overdue, ...counts, version: version + 1 }
}
