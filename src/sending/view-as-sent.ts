import { targetsAskedFor } from '../activations/activation-request.ts'
import { noCounts } from '../activations/activation-status.ts'
import type { ActivationView } from '../activations/activation-view.ts'
import { expectedBy } from '../activations/expected-by.ts'
import type { ExpectWithin } from '../config.ts'
import type { Submission } from './submission.ts'

/** A submission, shown as the activation it was when it left, from nothing but what its sender knows. */
export function viewAsSent(submission: Submission, expectWithin: ExpectWithin): ActivationView {
  const { requestId, name, accountName, request, sentAt, intendedAt } = submission
  const { operation = 'activate', servicePlan = null } = request
  const submittedAt = sentAt ?? intendedAt
  const targets = targetsAskedFor(request).length
  return {
    requestId: requestId ?? name,
    accountName,
    operation,
    servicePlan,
    submittedAt: submittedAt.toISOString(),
    expectedBy: expectedBy(expectWithin, operation, submittedAt).toISOString(),
    settledAt: null,
    status: requestId === null ? 'unknown' : 'pending',
    overdue: false,
    counts: { ...noCounts, targets, pending: targets },
    timeToCallbackMs: { p50: null, p95: null, max: null },
  }
}
