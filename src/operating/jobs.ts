import { PgBoss } from 'pg-boss'
import type { Logger } from 'pino'
import type { JobStore } from '../database/job-store.ts'
import { CannotMigrate } from '../database/migrate.ts'
import { sqlState } from '../database/refusal.ts'
import { describeError } from '../log.ts'

export interface Job {
  name: string
  everySeconds: number
  /** Should check `isStopping` between its steps, and must tolerate another replica doing the same. */
  run: (isStopping: () => boolean) => Promise<unknown>
}

export interface Jobs {
  /** Resolves when the first jobs can run; keeps trying while the database is away. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface JobsOptions {
  store: JobStore
  jobs: readonly Job[]
  /** Whether it may make or change its own schema. */
  migrate: boolean
  log: Logger
  onFailure: (job: string, error: unknown) => void
  /** Called after each run, whatever its outcome. */
  onRun: (job: string, seconds: number) => void
  /** How often to queue all jobs that are not waiting already. Default: every minute. */
  queueAllEveryMs?: number
}

/** The library makes this schema and migrates it by itself. */
const schema = 'jobs'
const stopWithinMs = 4_000
const hour = 3_600

/**
 * Recurring work, done once for all replicas. Each run queues the next one before it begins, and a queue holds only one
 * waiting job: so a run that dies with its process or its connection neither ends the work nor doubles it. If it died
 * before it could queue the next one, any replica makes up for it within a minute.
 */
export function createJobs(options: JobsOptions): Jobs {
  const { store, jobs, migrate, log, onFailure, onRun, queueAllEveryMs = 60_000 } = options
  let stopping = false
  let timer: NodeJS.Timeout | undefined
  let started: Promise<void> = Promise.resolve()
  const boss = openBoss(store, migrate)
  /** What has been said since the database was last there: each queue would say it again at each of its polls. */
  const told = new Set<string>()
  boss.on('error', error => {
    const { code } = describeError(error) as { code?: string }
    if (code !== undefined && told.has(code)) return
    if (code !== undefined) told.add(code)
    log.warn({ err: error }, 'the job queue reported an error')
  })
  boss.on('warning', ({ message }) => log.warn(message))
  store.onRecovery(() => {
    told.clear()
    void queueAll()
  })

  async function begin(): Promise<void> {
    for (let attempt = 1; !stopping; attempt += 1) {
      try {
        await boss.start()
        for (const job of jobs) await begun(job)
        timer = setInterval(queueAll, queueAllEveryMs).unref()
        return
      } catch (error) {
        if (attempt % 60 === 1) log.warn({ err: error }, 'background work can not start; trying again every second')
        await new Promise(resolve => setTimeout(resolve, 1_000))
      }
    }
  }

  async function begun({ name, everySeconds, run }: Job): Promise<void> {
    if ((await boss.getQueue(name)) === null) {
      const options = { policy: 'short', retryLimit: 0, expireInSeconds: 600, deleteAfterSeconds: 60 } as const
      await boss.createQueue(name, { ...options, retentionSeconds: hour })
    }
    const pollingIntervalSeconds = Math.min(Math.max(everySeconds / 2, 0.5), 5)
    await boss.offWork(name)
    await boss.work(name, { pollingIntervalSeconds }, async () => {
      await queue(name, everySeconds)
      if (stopping) return
      const began = performance.now()
      try {
        await run(() => stopping)
      } catch (error) {
        if (stopping) return
        onFailure(name, error)
        throw error
      } finally {
        onRun(name, (performance.now() - began) / 1_000)
      }
    })
    await queue(name, 0)
  }

  /** Does nothing when one is waiting already. */
  async function queue(name: string, startAfter: number): Promise<void> {
    await boss.send(name, null, { startAfter })
  }

  /** A run may have been lost before it could queue the next one. */
  async function queueAll(): Promise<void> {
    try {
      for (const { name } of jobs) await queue(name, 0)
    } catch {
      // Then there will be another recovery, or the next minute.
    }
  }

  return {
    start() {
      started = begin()
      return started
    },
    async stop() {
      stopping = true
      await started
      clearInterval(timer)
      await boss.stop({ graceful: true, timeout: stopWithinMs })
    },
  }
}

/** For `npm run migrate`, where the service may not do it itself. */
export async function migrateJobs(store: JobStore): Promise<void> {
  const boss = openBoss(store, true)
  boss.on('error', () => undefined)
  try {
    await boss.start()
  } catch (cause) {
    if (sqlState(cause) !== insufficientPrivilege) throw cause
    throw new CannotMigrate(`the schema ${schema} could not be made: the user needs CREATE on the database`, { cause })
  }
  await boss.stop()
}

const insufficientPrivilege = '42501'

function openBoss(store: JobStore, migrate: boolean): PgBoss {
  return new PgBoss({
    db: { executeSql: (text, values) => store.executeSql(text, values) },
    schema,
    migrate,
    createSchema: migrate,
    schedule: false,
    registerInstance: false,
    superviseIntervalSeconds: 30,
    maintenanceIntervalSeconds: 60,
  })
}
