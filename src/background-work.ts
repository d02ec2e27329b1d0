import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { markOverdue } from './activations/mark-overdue.ts'
import { takeInbox } from './activations/take-inbox.ts'
import type { Config } from './config.ts'
import type { JobStore } from './database/job-store.ts'
import { driftKinds, findListenerDrift } from './listeners/find-listener-drift.ts'
import { createJobs, type Job, type Jobs } from './operating/jobs.ts'
import type { Metrics } from './operating/metrics.ts'
import { askCarrier } from './polling/ask-carrier.ts'
import { deleteOld } from './retention/delete-old.ts'
import { giveUpUnanswered, settleUnknown } from './sending/settle-unknown.ts'
import { mergeCounts } from './summary/merge-counts.ts'
import type { ThingSpaceClient } from './thingspace/client.ts'

export interface BackgroundWorkOptions {
  store: JobStore
  config: Pick<Config, 'expectWithin' | 'keep' | 'listeners' | 'migrate'>
  /** null until the database has been reached for the first time. */
  listenersKey: () => Buffer | null
  /** null: no credentials for ThingSpace are configured, and nothing is asked of it. */
  client: ThingSpaceClient | null
  metrics: Metrics
  log: Logger
}

const driftEverySeconds = 900

/**
 * Everything that is done without being asked for, and how often. All of it tolerates another replica doing the same.
 */
export function createBackgroundWork(options: BackgroundWorkOptions): Jobs {
  const { store, config, client, metrics, log } = options
  const { db } = store
  const { expectWithin, migrate } = config
  const holder = randomUUID()
  const jobs: Job[] = [
    { name: 'inbox', everySeconds: 1, run: isStopping => takeInbox(db, expectWithin, isStopping) },
    {
      name: 'overdue',
      everySeconds: 2,
      run: async isStopping => {
        while ((await markOverdue(db, isStopping)) > 0 && !isStopping());
      },
    },
    { name: 'unknown', everySeconds: 2, run: isStopping => settleUnknown(db, expectWithin, isStopping) },
    { name: 'retention', everySeconds: 3_600, run: isStopping => deleteOld(db, config.keep, isStopping) },
    { name: 'unanswered', everySeconds: 15, run: () => giveUpUnanswered(db, expectWithin) },
    { name: 'counts', everySeconds: 5, run: () => mergeCounts(db) },
  ]
  if (client !== null) {
    const onPoll = (outcome: string) => metrics.polls.inc({ outcome })
    jobs.push(
      {
        name: 'polling',
        everySeconds: 2,
        run: isStopping => askCarrier({ db, client, holder, isStopping, onPoll }),
      },
      { name: 'listeners', everySeconds: driftEverySeconds, run: () => measureDrift(options, client) },
    )
  }
  // Counted from the start: an alert asks whether any of them runs.
  for (const { name: work } of jobs) {
    metrics.jobFailures.inc({ work }, 0)
    metrics.jobSeconds.zero({ work })
  }
  return createJobs({
    store,
    jobs,
    migrate,
    log,
    onRun: (work, seconds) => metrics.jobSeconds.observe({ work }, seconds),
    onFailure: (job, error) => {
      metrics.jobFailures.inc({ work: job })
      log.warn({ err: error, job }, 'background work failed; it is tried again')
    },
  })
}

async function measureDrift({ store, config, listenersKey, metrics }: BackgroundWorkOptions, client: ThingSpaceClient) {
  const key = listenersKey()
  const drift = await findListenerDrift(store.db, client, {
    configured: config.listeners,
    ...(key === null ? {} : { listenersKey: key }),
  })
  const counts = new Map(driftKinds.map(kind => [kind, drift.filter(one => one.kind === kind).length]))
  // By then somebody will have looked again, here or on another replica.
  metrics.listenerDrift.set(counts, 2 * driftEverySeconds * 1_000)
}
