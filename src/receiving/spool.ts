import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CannotOpen, type Sealer } from '../secrets/sealer.ts'
import type { Authentic } from './incoming-callback.ts'

/** A callback as it came, before anything in it is read. */
export type SpooledCallback = Pick<Authentic, 'id' | 'accountName' | 'serviceName' | 'bytes' | 'spooledAt'>

/** One row: its place in the order of arrival and its callback, which is null when no available key opens it. */
export interface SpoolRow {
  place: number
  callback: SpooledCallback | null
}

export interface Spool {
  /**
   * Resolves once it is on disk. Rejects with `SpoolFull` at once when there is no room, otherwise with the disk's
   * error.
   */
  add(callback: SpooledCallback): Promise<void>
  /** The oldest ones after that place, as many as may be in memory at once, without those that were set aside. */
  after(place: number, most: number): SpoolRow[]
  remove(places: readonly number[]): void
  /** They stay, and are not looked at again until the next start, which may come with their key. */
  setAside(places: readonly number[]): void
  depth(): number
  /** How many bytes its callbacks take, and may take. */
  bytes(): number
  maxBytes: number
  /** Milliseconds since the oldest one came; 0 when there is none. */
  oldestAgeMs(): number
  /** The same, but without those that were set aside. */
  oldestInTurnAgeMs(): number
  /** Keeps one named value beside the callbacks, sealed. Replaces the previous one. */
  keep(name: string, plain: Buffer): void
  /** null when there is none, or none that can be opened. */
  kept(name: string): Buffer | null
  close(): void
}

export const spoolFile = 'spool.sqlite'

export class SpoolFull extends Error {
  override name = 'SpoolFull'
}

/** Another process, or this one, has it open. */
export class SpoolTaken extends Error {
  override name = 'SpoolTaken'
}

export interface SpoolOptions {
  dataDir: string
  sealer: Sealer
  maxBytes: number
}

interface Adding {
  callback: SpooledCallback
  arrivedAt: number
  sealed: Buffer
  keyId: string
  resolve: () => void
  reject: (error: unknown) => void
}

/** What a row costs beside its sealed bytes, roughly. */
const rowBytes = 160
/** A drain reads, opens and parses this much at once. */
const bytesAtOnce = 8 * 2 ** 20
const busy = 5

/**
 * Where callbacks wait on this machine's disk while the database is away. The contents are sealed, each bound to its
 * own row. The lock on the file ends with the process, however that ends, so there is one owner at a time.
 */
export function openSpool({ dataDir, sealer, maxBytes }: SpoolOptions): Spool {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const db = openFile(path.join(dataDir, spoolFile))
  syncFolder(dataDir)
  const insert = db.prepare(
    'insert into callbacks (id, account_name, service_name, arrived_at, sealed, key_id) values (?, ?, ?, ?, ?, ?)',
  )
  const select = db.prepare('select * from callbacks where aside = 0 and place > ? order by place limit ?')
  const erase = db.prepare('delete from callbacks where place = ? returning length(sealed) as bytes')
  const putAside = db.prepare('update callbacks set aside = 1 where place = ?')
  const oldest = db.prepare('select arrived_at from callbacks order by place limit 1')
  const oldestInTurn = db.prepare('select arrived_at from callbacks where aside = 0 order by place limit 1')
  const upsert = db.prepare('insert or replace into kept (name, sealed, key_id) values (?, ?, ?)')
  const find = db.prepare('select sealed, key_id from kept where name = ?')
  const { rows, total } = db.prepare('select count(*) as rows, sum(length(sealed)) as total from callbacks').get() as {
    rows: number
    total: number | null
  }
  let depth = rows
  let bytes = (total ?? 0) + rows * rowBytes
  let adding: Adding[] = []

  /** Callbacks that came in the same turn share one transaction, and so one wait for the disk. */
  function write(): void {
    const together = adding
    adding = []
    try {
      inTransaction(db, () => {
        for (const { callback, arrivedAt, sealed, keyId } of together) {
          insert.run(callback.id, callback.accountName, callback.serviceName, arrivedAt, sealed, keyId)
        }
      })
    } catch (error) {
      for (const { sealed, reject } of together) {
        bytes -= sealed.length + rowBytes
        reject(error)
      }
      return
    }
    depth += together.length
    for (const { resolve } of together) resolve()
  }

  return {
    maxBytes,
    depth: () => depth,
    bytes: () => bytes,
    add(callback) {
      const { sealed, keyId } = sealer.seal(callback.bytes, boundTo(callback))
      if (bytes + sealed.length + rowBytes > maxBytes) return Promise.reject(new SpoolFull('the spool is full'))
      bytes += sealed.length + rowBytes
      return new Promise((resolve, reject) => {
        if (adding.length === 0) setImmediate(write)
        adding.push({ callback, arrivedAt: Date.now(), sealed, keyId, resolve, reject })
      })
    },
    after(place, most) {
      const found: SpoolRow[] = []
      let read = 0
      for (const row of select.iterate(place, most) as Iterable<unknown> as Iterable<StoredRow>) {
        found.push({ place: row.place, callback: openRow(sealer, row) })
        read += row.sealed.length
        if (read >= bytesAtOnce) break
      }
      return found
    },
    remove(places) {
      if (places.length === 0) return
      const removed = inTransaction(db, () => places.flatMap(place => erase.all(place) as { bytes: number }[]))
      depth -= removed.length
      for (const row of removed) bytes -= row.bytes + rowBytes
      if (depth === 0) db.exec('pragma wal_checkpoint(truncate)')
    },
    setAside(places) {
      if (places.length > 0) inTransaction(db, () => places.map(place => putAside.run(place)))
    },
    oldestAgeMs: () => ageOf(oldest.get()),
    oldestInTurnAgeMs: () => ageOf(oldestInTurn.get()),
    keep(name, plain) {
      const { sealed, keyId } = sealer.seal(plain, `spool:${name}`)
      upsert.run(name, sealed, keyId)
    },
    kept(name) {
      const row = find.get(name) as { sealed: Uint8Array; key_id: string } | undefined
      return row === undefined ? null : openOrNull(sealer, row, `spool:${name}`)
    },
    close() {
      if (adding.length > 0) write()
      db.close()
    },
  }
}

function ageOf(row: { [column: string]: unknown } | undefined): number {
  return row === undefined ? 0 : Math.max(0, Date.now() - Number(row.arrived_at))
}

function openFile(file: string): DatabaseSync {
  makePrivate(file)
  const db = new DatabaseSync(file, { timeout: 0 })
  try {
    db.exec(`
      pragma locking_mode = exclusive;
      pragma journal_mode = wal;
      pragma synchronous = full;
      pragma journal_size_limit = 16777216;
      -- What was drained is erased, not only given free: somebody may ask for it to be forgotten.
      pragma secure_delete = on;
      begin immediate;
      create table if not exists callbacks (
        place integer primary key autoincrement,
        id text not null unique,
        account_name text not null,
        service_name text not null,
        arrived_at integer not null,
        sealed blob not null,
        key_id text not null,
        aside integer not null default 0
      ) strict;
      create index if not exists callbacks_in_turn on callbacks (aside, place);
      update callbacks set aside = 0 where aside = 1;
      create table if not exists kept (name text primary key, sealed blob not null, key_id text not null) strict;
      commit`)
    return db
  } catch (error) {
    db.close()
    if ((error as { errcode?: number }).errcode === busy)
      throw new SpoolTaken('another process has it', { cause: error })
    throw error
  }
}

/** A newly made file survives a power cut only if its folder was written, too. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/**
 * Names of accounts stand in it in clear, and the folder may be one that others read; SQLite gives its other files the same
 * mode. One that is there must not be opened here: closing it would give up SQLite's locks on it.
 */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('begin immediate')
  try {
    const result = work()
    db.exec('commit')
    return result
  } catch (error) {
    if (db.isTransaction) db.exec('rollback')
    throw error
  }
}

interface StoredRow {
  place: number
  id: string
  account_name: string
  service_name: string
  arrived_at: number
  sealed: Uint8Array
  key_id: string
}

function openRow(sealer: Sealer, row: StoredRow): SpooledCallback | null {
  const callback = { id: row.id, accountName: row.account_name, serviceName: row.service_name }
  const bytes = openOrNull(sealer, row, boundTo(callback))
  return bytes === null ? null : { ...callback, bytes, spooledAt: new Date(row.arrived_at) }
}

function boundTo({ id, accountName, serviceName }: Omit<SpooledCallback, 'bytes'>): string {
  return `spool:${id} ${accountName} ${serviceName}`
}

function openOrNull(sealer: Sealer, row: { sealed: Uint8Array; key_id: string }, bound: string): Buffer | null {
  try {
    return sealer.open(Buffer.from(row.sealed), row.key_id, bound)
  } catch (error) {
    if (error instanceof CannotOpen) return null
    throw error
  }
}
