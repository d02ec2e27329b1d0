import { imeiBase } from '../thingspace/identifiers.ts'
import type { Identifiers } from '../thingspace/report.ts'
import type { TargetState } from './working-set.ts'

/** Up to this many are compared one by one: indexing them would cost more. */
const few = 32

interface Index {
  /** How many of the targets are indexed here; any later ones follow them in the list. */
  size: number
  byIccid: Map<string, TargetState[]>
  byEid: Map<string, TargetState[]>
  byImei: Map<string, TargetState[]>
}

const indexes = new WeakMap<readonly TargetState[], Index>()

/**
 * The targets that share an identifier with a message: only they can be meant. A bulk activation has 10,000 targets,
 * and claiming as many callbacks would otherwise compare each with each. The list may grow at its end between two
 * calls.
 */
export function candidates(targets: readonly TargetState[], named: Identifiers): readonly TargetState[] {
  if (targets.length <= few) return targets
  const index = indexOf(targets)
  const { iccid, eid, imei } = named
  const found = [
    ...(iccid === null ? [] : (index.byIccid.get(iccid) ?? [])),
    ...(eid === null ? [] : (index.byEid.get(eid) ?? [])),
    ...(imei === null ? [] : (index.byImei.get(imeiBase(imei)) ?? [])),
  ]
  return [...new Set(found)]
}

function indexOf(targets: readonly TargetState[]): Index {
  const index = indexes.get(targets) ?? { size: 0, byIccid: new Map(), byEid: new Map(), byImei: new Map() }
  indexes.set(targets, index)
  for (const target of targets.slice(index.size)) {
    add(index.byIccid, target.iccid, target)
    add(index.byEid, target.eid, target)
    add(index.byImei, target.imei === null ? null : imeiBase(target.imei), target)
  }
  index.size = targets.length
  return index
}

function add(by: Map<string, TargetState[]>, id: string | null, target: TargetState): void {
  if (id === null) return
  const known = by.get(id)
  if (known === undefined) by.set(id, [target])
  else known.push(target)
}
