import { execFile } from 'node:child_process'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import t from 'tap'
import { findServerUser } from '../../src/database/embedded-process.ts'
import { openDatabase } from '../../src/database/pool.ts'
import { startOwnPostgres } from '../faults/own-postgres.ts'
import { startInEarnest } from '../faults/stage.ts'
import { connection } from '../fixtures/connection.ts'

const run = promisify(execFile)
const skip = await run('openssl', ['version']).then(
  () => false,
  () => 'no openssl on this machine',
)

t.test('with sslmode=verify-full the link is encrypted, and only the right server is spoken to', { skip }, async t => {
  const folder = await mkdtemp(path.join(tmpdir(), 'tls-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = (name: string) => path.join(folder, name)
  await makeAuthority(file('ca'))
  await makeAuthority(file('stranger'))
  await makeCertificate(file('server'), file('ca'))

  const user = await findServerUser('')
  if (user !== undefined) for (const place of [folder, file('server.key')]) await chown(place, user.uid, user.gid)
  const settings = { ssl: 'on', ssl_cert_file: file('server.pem'), ssl_key_file: file('server.key') }
  const postgres = await startOwnPostgres(t, { settings })
  const urlWith = (authority: string, host = '127.0.0.1') => {
    const url = new URL(postgres.url())
    url.hostname = host
    url.search = `?sslmode=verify-full&sslrootcert=${encodeURIComponent(file(`${authority}.pem`))}`
    return url.href
  }

  const server = await startInEarnest(t, urlWith('ca'))
  const links = await postgres.sql(`
    select ssl, count(*)::int from pg_stat_ssl join pg_stat_activity using (pid)
    where application_name like 'thingspace %' group by ssl`)
  t.match(links, [{ ssl: true, count: Number }], 'every connection')
  t.equal(await server.end('SIGTERM'), 0)

  await t.rejects(ask(urlWith('stranger')), { code: /SELF_SIGNED|UNABLE_TO/ }, 'a server that another one vouches for')
  await t.rejects(ask(urlWith('ca', 'localhost')), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }, 'one with another name')
  await t.resolves(ask(urlWith('ca')))
})

async function ask(url: string): Promise<void> {
  const db = openDatabase(connection(url))
  try {
    await sql`select 1`.execute(db)
  } finally {
    await db.destroy()
  }
}

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

async function makeAuthority(name: string): Promise<void> {
  const subject = ['-subj', `/CN=${path.basename(name)}`]
  await run('openssl', ['req', '-x509', ...key, '-keyout', `${name}.key`, '-out', `${name}.pem`, ...subject])
}

/** For the address of this machine, and not for its name. */
async function makeCertificate(name: string, authority: string): Promise<void> {
  await run('openssl', ['req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', '/CN=server'])
  await writeFile(`${name}.ext`, 'subjectAltName=IP:127.0.0.1\n')
  const by = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial', '-extfile', `${name}.ext`]
  await run('openssl', ['x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...by])
}
