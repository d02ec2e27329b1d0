import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { countOverdue, markOverdue } from './activations/mark-overdue.ts'
import { takeNext } from './activations/take-inbox.ts'
import type { ExpectWithin } from './config.ts'
import type { JobStore } from './database/job-store.ts'
import { createJobs, type Job, type Jobs } from './operating/jobs.ts'
import type { Metrics } from './operating/metrics.ts'
import { askCarrier } from './polling/ask-carrier.ts'
import { giveUpUnanswered, settleUnknown } from './sending/settle-unknown.ts'
import type { ThingSpaceClient } from './thingspace/client.ts'

export interface BackgroundWorkOptions {
  store: JobStore
  expectWithin: ExpectWithin
  /** null: no credentials for ThingSpace are configured, and it is asked nothing. */
  client: ThingSpaceClient | null
  migrate: boolean
  metrics: Metrics
  log: Logger
}

/** Everything that is done without being asked, and how often. Each survives another replica doing the same. */
export function createBackgroundWork({ store, expectWithin, client, metrics, ...rest }: BackgroundWorkOptions): Jobs {
  const { db } = store
  const holder = randomUUID()
  const jobs: Job[] = [
    {
      name: 'inbox',
      everySeconds: 1,
      run: async isStopping => {
        while (!isStopping() && (await takeNext(db, expectWithin)));
      },
    },
    {
      name: 'overdue',
      everySeconds: 2,
      run: async isStopping => {
        while ((await markOverdue(db, isStopping)) > 0 && !isStopping());
        metrics.overdue.set(await countOverdue(db))
      },
    },
    { name: 'unknown', everySeconds: 2, run: () => settleUnknown(db, expectWithin) },
    { name: 'unanswered', everySeconds: 15, run: () => giveUpUnanswered(db, expectWithin) },
  ]
  if (client !== null) {
    const onPoll = (outcome: string) => metrics.polls.inc({ outcome })
    jobs.push({
      name: 'polling',
      everySeconds: 2,
      run: isStopping => askCarrier({ db, client, holder, isStopping, onPoll }),
    })
  }
  return createJobs({
    ...rest,
    store,
    jobs,
    onFailure: (job, error) => {
      metrics.jobFailures.inc({ job })
      rest.log.warn({ err: error, job }, 'background work failed; it is tried again')
    },
  })
}
