import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { promises as fs } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import pg from 'pg'
import t, { type Test } from 'tap'
import { readConfig } from '../src/config.ts'
import { findCluster, removeDataDirectory } from '../src/database/embedded-cluster.ts'
import { readPassword } from '../src/database/embedded-password.ts'
import { findPostmaster } from '../src/database/embedded-predecessor.ts'
import { databaseKeySeal } from '../src/secrets/database-keys.ts'
import { createSealer } from '../src/secrets/sealer.ts'
import { acceptedMessages, type CanaryMessage, canaryDevice, refusedMessages } from './fixtures/canary-messages.ts'
import { device, makeCallback } from './fixtures/make-callback.ts'
import { parentProcesses } from './fixtures/parent-processes.ts'
import {
  formsOf,
  formsOfBytes,
  type Hit,
  type Needle,
  searchBytes,
  searchFolder,
} from './fixtures/search-for-secrets.ts'
import { failToStart, type ServerProcess, startServerProcess } from './fixtures/server-process.ts'
import { type Answer, account, send } from './fixtures/service.ts'

/** Every canary begins with the mark; what follows tells them apart, and is written differently by every encoding. */
const mark = `Qx${randomBytes(6)
  .toString('hex')
  .replace(/\d/g, digit => 'ghjkmnpqrs'[Number(digit)] ?? 'z')}Z`
const canary = (name: string) => `${mark}-${name}-"ü%2F\\'<&`
const planted = `Pj${mark.slice(2)}`
const tokenOf = (name: string) => `${mark}-token-${name}`
const digest = (secret: string) => createHash('sha256').update(secret).digest()
const sealKey = randomBytes(32)

const login = { username: canary('listener-user'), password: canary('listener-current') }
const previous = { ...login, password: canary('listener-previous') }
const bearer = { authorization: `Bearer ${tokenOf('all')}` }

const secrets = [
  ...formsOf('a canary', mark),
  ...formsOfBytes('SEAL_KEY', sealKey),
  ...formsOfBytes('the digest of a token', digest(tokenOf('all'))),
]
const identifiers = [0, 1, 2].flatMap(n =>
  [1, 2, 3, 4, 5, 6, 7].flatMap(at =>
    Object.entries(device(canaryDevice(n, at))).flatMap(([kind, id]) => formsOf(`an ${kind}`, id)),
  ),
)
const services = ['CarrierService', 'FailsToApply', 'RaisesWithTheRow', 'RefusesAll', 'IsUnique']

t.test('no secret is anywhere but in the two answers that are for it', async t => {
  const dataDir = await fs.mkdtemp(path.join(tmpdir(), 'canary-test-'))
  await fs.chmod(dataDir, 0o711)
  t.teardown(() => removeDataDirectory(dataDir))
  const server = await startServerProcess(t, {
    DATA_DIR: dataDir,
    // What the database always refuses is looked at here, and a spool would take some of it.
    SPOOL: 'off',
    LOG_LEVEL: 'trace',
    SEAL_KEY: sealKey.toString('base64'),
    THINGSPACE_ACCOUNT: account,
    THINGSPACE_SERVICES: services.join(),
    CALLBACK_USERNAME: login.username,
    CALLBACK_PASSWORD: login.password,
    CALLBACK_PASSWORD_PREVIOUS: previous.password,
    API_TOKENS: `all:read,activate,operate,credentials,metrics:*:${digest(tokenOf('all')).toString('hex')}`,
  })
  const cluster = (await findCluster(dataDir)) ?? ''
  const serverLog = path.join(dataDir, 'postgres.log')
  const databasePassword = await readPassword(dataDir)
  const { port } = (await findPostmaster(cluster)) ?? { port: 0 }
  const databaseUrl = `postgres://thingspace:${databasePassword}@127.0.0.1:${port}/thingspace`
  const sql = async (text: string) => {
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    return client.query(text).finally(() => client.end())
  }
  const databaseKeys = await openDatabaseKeys(sql)
  const all = [...secrets, ...databaseKeys, ...formsOf('the password of the database', databasePassword)]
  await keepUncompressed(sql)
  const answers = new Answers(server.url)

  await t.test('the search finds what is planted, in every form, wherever it looks', async t => {
    const needles = formsOf('planted', planted)
    await sql('create table planted (form text, kept bytea, shown text)')
    // Twice: the WAL has pages of its own, and the end of one may cut a row in two.
    const insert = 'insert into planted values ($1, $2, $3), ($1, $2, $3)'
    for (const { form, bytes } of needles) {
      const values = [form, bytes, form.startsWith('utf-16') ? null : `.${bytes}.`]
      const client = new pg.Client({ connectionString: databaseUrl })
      await client.connect()
      await client.query(insert, values).finally(() => client.end())
    }
    await sql('checkpoint')
    const hits = await searchFolder(dataDir, needles)
    const formsIn = (place: RegExp) => new Set(hits.filter(({ where }) => place.test(where)).map(({ form }) => form))
    t.strictSame(formsIn(/postgres\/base\//).size, needles.length, 'in the tables')
    t.strictSame(formsIn(/postgres\/pg_wal\//).size, needles.length, 'in the WAL')
    const dumped = (await dump(sql)).flatMap(({ where, bytes }) => searchBytes(where, bytes, needles))
    t.strictSame(new Set(dumped.map(({ form }) => form)).size, needles.length, 'in the dump')
    const shifted = ['', 'a', 'ab'].map(before => Buffer.from(`${before}${planted}é`).toString('base64'))
    for (const text of shifted) t.ok(searchBytes('base64', text, needles).length > 0, 'at any place within base64')
    t.strictSame(searchBytes('elsewhere', `${planted.slice(1)} ${mark}`, needles), [])
    await sql('drop table planted')
  })

  await t.test('with the settings that the embedded database has', async t => {
    await refuseInTheDatabase(sql)
    await sendEverything(t, answers, sql, 0)
    const found = searchBytes('server log', await fs.readFile(serverLog), [...all, ...identifiers])
    t.strictSame(found, [], "PostgreSQL's own log holds no secret and no identifier")
  })

  await t.test('with a database that logs every statement, every parameter and every row', async t => {
    await sql(`alter database thingspace set log_statement = 'all'`)
    for (const [name, value] of talkative) await sql(`alter database thingspace set ${name} = ${value}`)
    await sql(endOfConnections)
    await sendEverything(t, answers, sql, 1)
    const log = await fs.readFile(serverLog)
    t.ok(searchBytes('', log, formsOf('', device(canaryDevice(1, 1)).iccid)).length > 0, 'it does log what it is given')
    t.ok(log.includes('Failing row contains'), 'it does log rows')
    t.strictSame(searchBytes('server log', log, all), [])
  })

  await t.test('while the database is away', async t => {
    await sqlElsewhere(databaseUrl, 'alter database thingspace allow_connections false')
    await sqlElsewhere(databaseUrl, endOfConnections)
    const sent = acceptedMessages(2, canary, login).map(message => answers.callback(message))
    for (const { status } of await Promise.all(sent)) t.ok([202, 503].includes(status), `answered with ${status}`)
    const spooled = await searchFolder(dataDir, all, name => name !== 'postgres' && name !== 'postgres.log')
    t.strictSame(outside(spooled), [], 'nothing in DATA_DIR, should there be a spool')
    await sqlElsewhere(databaseUrl, 'alter database thingspace allow_connections true')
    await answers.until(200, '/health/ready')
  })

  await t.test('what is kept can still be read by those who may', async t => {
    const { iccid } = device(canaryDevice(0, 1))
    const credential = await answers.get(`/v1/profiles/${iccid}/credential`, 'meant')
    t.match(credential.body, { username: canary('device-recorded-user'), password: canary('device-recorded') })
    await reprocessed(t, answers, sql)
  })

  await t.test('searched after all that', async t => {
    await answers.get('/metrics')
    t.match(answers.last, { status: 200 })
    await answers.get('/openapi.json')
    await sql('vacuum analyze')
    for (const { where, bytes } of await dump(sql)) t.strictSame(searchBytes(where, bytes, all), [], where)
    if (process.platform === 'linux') {
      const processes = await processesOf(server)
      t.ok(processes.length > 5, `${processes.length} processes`)
      const seen = processes.flatMap(({ name, shown }) => searchBytes(name, shown, all))
      t.strictSame(seen, [], 'command lines, and the environment of PostgreSQL')
    }
    await sql('checkpoint')
    t.equal(await server.end('SIGTERM'), 0)

    const files = await searchFolder(dataDir, all)
    t.strictSame(outside(files), [], 'all of DATA_DIR: tables, indexes, WAL, statistics, logs')
    t.ok(
      files.some(({ where }) => where === 'postgres-password'),
      'the search did read the files',
    )

    const log = server.output.join('\n')
    t.ok(server.output.length > 100 && /"level":"warn"/.test(log) && /"level":"error"/.test(log), 'there is a log')
    t.strictSame(searchBytes('log of the service', log, [...all, ...identifiers]), [])

    t.ok(answers.errors.length > 100)
    const wrong = answers.errors.flatMap(text => searchBytes('an error', text, [...all, ...identifiers]))
    t.strictSame(wrong, [], 'no error answers what was sent')
    t.strictSame(
      answers.others.flatMap(text => searchBytes('an answer', text, all)),
      [],
    )
    const listener = answers.meant.filter(text => text.includes(`${mark}-listener`))
    t.strictSame(
      listener.filter(text => !text.includes('"callbackCount"')),
      [],
      'listener credentials are only in quarantined bytes',
    )
  })
})

t.test('a configuration that is wrong is told without quoting it', async t => {
  const wrong = {
    DATABASE_URL: `mysql://user:${mark}@127.0.0.1/x`,
    SEAL_KEY: mark,
    SEAL_KEYS_PREVIOUS: `${sealKey.toString('base64')},${mark}`,
    API_TOKENS: `all:read:*:${mark};`,
    CALLBACK_PASSWORD: mark,
  }
  const told = await failToStart(wrong)
  t.match(told, { code: 1, output: /DATABASE_URL.*SEAL_KEY.*SEAL_KEYS_PREVIOUS/s })
  t.strictSame(searchBytes('what it says', told.output, secrets), [])
  const good = { SEAL_KEY: sealKey.toString('base64') }
  const failed = await failToStart({ ...good, DATABASE_URL: `postgres://user:${mark}@127.0.0.1:notaport/x` })
  t.equal(failed.code, 1)
  t.strictSame(searchBytes('what it says', failed.output, secrets), [], failed.output)
  for (const tokens of [`all:${mark}:*:${'0'.repeat(64)}`, `${mark}:read`, `${mark}`, `a:read:*:${mark}`]) {
    const problem = await Promise.resolve({ API_TOKENS: tokens }).then(readConfig).catch(String)
    t.match(problem, /API_TOKENS/)
    t.strictSame(searchBytes('what it says', `${problem}`, secrets), [], `${problem}`)
  }
})

/** Settings of a database whose owner wants to see everything. */
const talkative = Object.entries({
  log_min_messages: 'debug1',
  log_min_error_statement: 'debug1',
  log_min_duration_statement: '0',
  log_error_verbosity: 'verbose',
  log_parameter_max_length: '-1',
  log_parameter_max_length_on_error: '-1',
})

const endOfConnections = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = 'thingspace' and pid <> pg_backend_pid()`

type Sql = (text: string) => Promise<pg.QueryResult>

/** Sends what there is to send, and looks at what came back. */
async function sendEverything(t: Test, answers: Answers, sql: Sql, n: number): Promise<void> {
  const devices = [{ deviceIds: [{ kind: 'iccid', id: device(canaryDevice(n, 1)).iccid }] }]
  await answers.until(201, `/v1/activations/recorded-${n}`, 'PUT', { accountName: account, devices })
  for (const message of acceptedMessages(n, canary, login)) {
    const { status, body } = await answers.callback(message)
    t.match({ status, verdict: body.verdict }, { status: 200, verdict: message.expected }, message.name)
  }
  const [first] = acceptedMessages(n, canary, previous)
  const again = Array.from({ length: 20 }, () => answers.callback(first as CanaryMessage))
  for (const { body } of await Promise.all(again)) t.equal(body.verdict, 'repeated')
  for (const message of refusedMessages(n, canary, login)) {
    t.equal((await answers.callback(message)).status, message.expected, message.name)
  }

  const refused = { ...makeCallback({ requestId: `database-${n}`, ...device(canaryDevice(n, 7)) }), ...login }
  const refuse = (service: string, more: object = {}) => answers.callback({ body: { ...refused, ...more }, service })
  t.match((await refuse('FailsToApply', refusedPlan(n))).body, { verdict: 'quarantined' })
  t.match((await refuse('RaisesWithTheRow', { requestId: `raises-${n}` })).body, { verdict: 'quarantined' })
  t.match(await refuse('RefusesAll', { requestId: `refuses-${n}` }), { status: 503 })
  await refuse('IsUnique', { requestId: `unique-${n}-a` })
  // Its bytes have room once.
  const unique = n === 0 ? { status: 200, body: { verdict: 'quarantined' } } : { status: 503 }
  t.match(await refuse('IsUnique', { requestId: `unique-${n}-b` }), unique)

  const { iccid } = device(canaryDevice(n, 1))
  await sql(`alter table audit add constraint refuse check (action = 'nothing') not valid`)
  t.match(await answers.get(`/v1/profiles/${iccid}/credential`), { status: 500 }, 'the audit is refused')
  await sql('alter table audit drop constraint refuse; alter table profiles rename to profiles_away')
  for (const url of [`/v1/profiles/${iccid}`, `/v1/devices/iccid/${iccid}`]) {
    t.match(await answers.get(url), { status: 503 }, 'a table is gone')
  }
  await sql('alter table profiles_away rename to profiles')
  await sql(`insert into outgoing_activations (request_id, account_name, devices)
    values ('inbox-${n}', '${account}', '[{"deviceIds": "${iccid}"}]')`)

  await sendOddRequests(t, answers, n)
  for (const url of ['/v1/callbacks?limit=1000', `/v1/activations/recorded-${n}/callbacks`, `/v1/profiles/${iccid}`]) {
    t.match(await answers.get(url), { status: 200 })
  }
}

/** Wrong URLs, tokens, bodies and things that are no request at all. */
async function sendOddRequests(t: Test, answers: Answers, n: number): Promise<void> {
  const [{ body: authentic } = { body: {} }] = acceptedMessages(n, canary, login)
  const text = JSON.stringify(authentic)
  const { iccid } = device(canaryDevice(n, 2))
  const inUrl = encodeURIComponent(canary('url'))
  const urls = [
    `/v1/nothing/${inUrl}`,
    // What is looked up is a parameter: a database that logs every parameter logs it.
    ...(n === 0 ? [`/v1/profiles/${inUrl}`, `/v1/devices/iccid/${inUrl}`] : []),
    `/v1/profiles/${iccid}?asOf=${inUrl}`,
    `/v1/profiles/${iccid}?asOf=${iccid}`,
    `/v1/callbacks/${inUrl}`,
    `/v1/callbacks?cursor=${inUrl}`,
    `/v1/callbacks?verdict=${inUrl}&limit=${inUrl}`,
    `/v1/activations/${inUrl}`,
    `/v1/devices/${inUrl}/${inUrl}`,
    `/v1/%zz${inUrl}`,
    `/v1/profiles/%00${inUrl}`,
    `/docs/${inUrl}`,
    `/callbacks/${inUrl}/${inUrl}`,
    `/${inUrl.repeat(100)}`,
  ]
  for (const url of urls) t.ok((await answers.get(url)).status >= 400, 'a wrong URL')
  for (const url of [`/callbacks/${account}/${inUrl}`, `/callbacks/${inUrl}/CarrierService`]) {
    t.match(await answers.call('POST', url, { body: text }), { status: 403 })
  }
  const callbacks = `/callbacks/${account}/CarrierService`
  t.match(await answers.call('POST', `${callbacks}?password=${inUrl}`, { body: '{}' }), { status: 403 })
  t.match(await answers.call('DELETE', `${callbacks}?password=${inUrl}`), { status: 404 })
  const encoded = { body: gzipSync(text), headers: { 'content-encoding': 'gzip', 'content-type': `x/${mark}` } }
  t.match(await answers.call('POST', callbacks, encoded), { status: 415 })

  const wrongTokens = [`Bearer ${tokenOf('wrong')}`, `Basic ${btoa(`user:${tokenOf('wrong')}`)}`, tokenOf('wrong')]
  for (const authorization of wrongTokens) {
    t.match(await answers.call('GET', '/v1/callbacks', { headers: { authorization } }), { status: 401 })
  }
  t.match(await answers.call('GET', `/v1/callbacks?access_token=${tokenOf('all')}`), { status: 401 })
  const bodies = [text, `{"password":"${mark}`, JSON.stringify({ accountName: account, password: mark, devices: [] })]
  for (const body of [...bodies, JSON.stringify({ accountName: mark, devices: [{ deviceIds: mark }] })]) {
    t.match(await answers.call('PUT', '/v1/activations/request-odd', { body, headers: bearer }), { status: 400 })
    t.match(await answers.call('POST', '/v1/callbacks/reprocess', { body, headers: bearer }), { status: 400 })
  }
  const other = { body: text, headers: { ...bearer, 'content-type': `text/${mark}` } }
  t.ok((await answers.call('PUT', '/v1/activations/request-odd', other)).status >= 400)

  const headers = `Host: x\r\nAuthorization: Bearer ${tokenOf('all')}\r\nX-Password: ${mark}\r\n`
  const sent = [
    `${mark} is no request\r\n\r\n`,
    `POST /${mark} HTTP/9.9\r\n${headers}\r\n`,
    `POST ${callbacks} HTTP/1.1\r\n${headers}Content-Length: 5\r\nContent-Length: 6\r\n\r\n${text}`,
    `POST ${callbacks} HTTP/1.1\r\n${headers}Transfer-Encoding: chunked\r\n\r\n${mark}\r\n`,
    `POST ${callbacks} HTTP/1.1\r\n${headers}X-Long: ${mark.repeat(2_000)}\r\n\r\n`,
    `POST ${callbacks} HTTP/1.1\r\n${headers}Content-Length: 100000\r\n\r\n${text}`,
  ]
  for (const [at, bytes] of sent.entries()) await answers.raw(bytes, at === sent.length - 1)
}

/** What the database will not take, each with an error that quotes the row. */
async function refuseInTheDatabase(sql: Sql): Promise<void> {
  await sql(`alter table profiles add constraint refuse_plan check (service_plan not like 'REFUSED%')`)
  await sql(`alter table callbacks add constraint refuse_service check (service_name <> 'RefusesAll')`)
  await sql(`create unique index callbacks_unique_body on callbacks (service_name, left(coalesce(body, verdict), 15))
    where service_name = 'IsUnique'`)
  // The message holds the row, and after it lines that look like those of a stack.
  await sql(`create function raise_with_the_row() returns trigger language plpgsql as $$ begin
      raise exception E'%\\n    at row (/x/src/%:1:1)', new::text, new.body;
    end $$`)
  await sql(`create trigger raise_with_the_row before insert on callbacks for each row
    when (new.service_name = 'RaisesWithTheRow' and new.body is not null) execute function raise_with_the_row()`)
}

function refusedPlan(n: number): object {
  const { iccid } = device(canaryDevice(n, 7))
  const deviceCredential = { username: canary('refused-user'), password: canary('refused') }
  const ids = [{ kind: 'iccid', id: iccid }]
  const profile = { deviceIdentifierCollection: ids, state: 'ACTIVE', servicePlan: 'REFUSED', deviceCredential }
  return { requestId: `plan-${n}`, deviceResponse: { deviceProfileResponse: profile } }
}

/** Quarantined bytes can be read; and once they are read and applied, the listener's login is no more in them. */
async function reprocessed(t: Test, answers: Answers, sql: Sql): Promise<void> {
  const { body: list } = await answers.get('/v1/callbacks?verdict=quarantined&requestId=plan-0')
  const [{ callbackId }] = list.items
  const bytes = await answers.get(`/v1/callbacks/${callbackId}/bytes`, 'meant')
  t.ok(bytes.body.includes(mark) && bytes.body.includes('listener-current'), 'quarantined bytes are what came')
  await sql('alter table profiles drop constraint refuse_plan')
  t.match(await answers.call('POST', `/v1/callbacks/${callbackId}/reprocess`, { headers: bearer }), { status: 200 })
  const after = await answers.get(`/v1/callbacks/${callbackId}/bytes`, 'meant')
  t.ok(after.body.includes(`${mark}-refused`))
  t.notOk(after.body.includes('listener'))
}

/** Every answer, sorted by what it may hold. */
class Answers {
  readonly errors: string[] = []
  readonly others: string[] = []
  readonly meant: string[] = []
  last: Answer | null = null
  readonly #url: string
  constructor(url: string) {
    this.#url = url
  }

  async call(method: string, url: string, options: Parameters<typeof send>[2] = {}, kind = ''): Promise<Answer> {
    const answer = await send(this.#url + url, method, options)
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
    const whole = `${JSON.stringify([...answer.headers])}\n${text}`
    if (kind === 'meant') this.meant.push(whole)
    else if (answer.status >= 400) this.errors.push(whole)
    else this.others.push(whole)
    this.last = answer
    return answer
  }

  get(url: string, kind = ''): Promise<Answer> {
    return this.call('GET', url, { headers: bearer }, kind)
  }

  callback({ body, service = 'CarrierService' }: Pick<CanaryMessage, 'body' | 'service'>): Promise<Answer> {
    return this.call('POST', `/callbacks/${account}/${service}`, { body })
  }

  async until(status: number, url: string, method = 'GET', body?: object): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.call(method, url, { headers: bearer, ...(body === undefined ? {} : { body }) })
      if (answer.status === status) return
      if (tries === 40) throw new Error(`${url} still answers ${answer.status}`)
      await new Promise(resolve => setTimeout(resolve, 250))
    }
  }

  /** Bytes that no HTTP client would send. The last one hangs up in the middle of its body. */
  async raw(bytes: string, hangUp: boolean): Promise<void> {
    const { hostname, port } = new URL(this.#url)
    const socket = connectSocket(Number(port), hostname)
    let answer = ''
    socket.on('data', data => (answer += data))
    socket.on('error', () => undefined)
    socket.write(bytes)
    if (hangUp) setTimeout(() => socket.destroy(), 200)
    await once(socket, 'close')
    if (answer !== '') this.errors.push(answer)
  }
}

/** PostgreSQL compresses long values, where no search would see them: not in this test. */
async function keepUncompressed(sql: Sql): Promise<void> {
  const { rows } =
    await sql(`select format('alter table %s alter column %I set storage external', c.oid::regclass, a.attname)
    as change from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and a.attstorage = 'x' and not a.attisdropped`)
  for (const { change } of rows) await sql(change)
}

async function openDatabaseKeys(sql: Sql): Promise<Needle[]> {
  const sealer = createSealer(sealKey)
  const { rows } = await sql('select name, sealed, seal_key_id from sealed_keys')
  t.ok(rows.length >= 2)
  return rows.flatMap(({ name, sealed, seal_key_id }) =>
    formsOfBytes(`the key ${name}`, sealer.open(sealed, seal_key_id, databaseKeySeal(name))),
  )
}

/** Every table of ours as text, its bytes as they are, and what PostgreSQL tells of itself. */
async function dump(sql: Sql): Promise<{ where: string; bytes: Buffer }[]> {
  const { rows: tables } = await sql(`select c.oid::regclass::text as name, array_agg(a.attname::text) filter
      (where a.atttypid = 'bytea'::regtype) as binary
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped group by 1`)
  const views = ['pg_stats', 'pg_stat_activity', 'pg_settings', 'pg_prepared_statements', 'pg_description']
  const dumped: { where: string; bytes: Buffer }[] = []
  for (const { name, binary } of [...tables, ...views.map(view => ({ name: view, binary: null }))]) {
    const { rows } = await sql(`select r::text as line from ${name} r`)
    dumped.push({ where: name, bytes: Buffer.from(rows.map(({ line }) => line).join('\n')) })
    for (const column of binary ?? []) {
      const { rows: values } = await sql(`select ${column} as bytes from ${name} where ${column} is not null`)
      dumped.push({ where: `${name}.${column}`, bytes: Buffer.concat(values.map(({ bytes }) => bytes)) })
    }
  }
  return dumped
}

async function sqlElsewhere(databaseUrl: string, text: string): Promise<void> {
  const url = new URL(databaseUrl)
  url.pathname = '/postgres'
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  await client.query(text).finally(() => client.end())
}

/** The password of the database has a file of its own. */
function outside(hits: Hit[]): Hit[] {
  return hits.filter(({ where, secret }) => where !== 'postgres-password' || secret !== 'the password of the database')
}

/** The service and what it started: command lines of all, the environment of all but the service itself. */
async function processesOf({ child }: ServerProcess): Promise<{ name: string; shown: Buffer }[]> {
  const parents = await parentProcesses()
  const descends = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === child.pid || descends(parents.get(pid)))
  const found: { name: string; shown: Buffer }[] = []
  for (const pid of [...parents.keys()].filter(descends)) {
    const read = (file: string) => fs.readFile(`/proc/${pid}/${file}`).catch(() => Buffer.alloc(0))
    const commandLine = await read('cmdline')
    const environment = pid === child.pid ? Buffer.alloc(0) : await read('environ')
    found.push({ name: commandLine.toString().slice(0, 60), shown: Buffer.concat([commandLine, environment]) })
  }
  return found
}
