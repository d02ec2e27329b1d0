import { parseArgs } from 'node:util'
import { readConfig } from '../config.ts'
import { forgetSecrets } from '../retention/forget-secrets.ts'
import { createSealer } from '../secrets/sealer.ts'
import { tryOutSealKey } from '../secrets/try-out-seal-key.ts'
import { normalIdentifier } from '../thingspace/identifiers.ts'
import { withDatabase, withoutAddress } from './command-database.ts'
import { command, WrongUsage } from './command-line.ts'

const usage = `npm run forget -- --iccid ICCID [--account ACCOUNT] [--json]

  Erases what is sealed about one profile: the logins that its callbacks brought, and the bytes of unreadable messages
  that name it. What is not secret stays. Leaves a row in the table audit for each callback, and one for the request.
  Callbacks in a spool (metric thingspace_spool_depth) are not in the database yet: run it again when that is empty.
  Ends with 1 when some callbacks could not be opened, and so may contain something of the profile.

  --iccid ICCID      the profile
  --account ACCOUNT  only in this account
  --json             JSON for programs

  DATABASE_URL, SEAL_KEY, SEAL_KEYS_PREVIOUS as for the service
`

export const forgetCommand = command(usage, async (args, { env, say }) => {
  const { values } = parseArgs({
    args,
    options: { iccid: { type: 'string' }, account: { type: 'string' }, json: { type: 'boolean' } },
  })
  const iccid = normalIdentifier('iccid', values.iccid ?? '')
  if (!/^\d{10,64}$/.test(iccid)) throw new WrongUsage('--iccid: the digits of one ICCID')
  const wish = { iccid, accountName: values.account ?? null }
  const config = readConfig(withoutAddress(env))
  const sealer = createSealer(config.sealKey ?? (await tryOutSealKey(config.dataDir)), config.sealKeysPrevious)
  const forgotten = await withDatabase(config, db => forgetSecrets(db, sealer, wish))
  if (values.json) say(JSON.stringify(forgotten))
  else {
    const callbacks = forgotten.callbacks === 1 ? '1 callback' : `${forgotten.callbacks} callbacks`
    say(`erased in ${callbacks}, of which ${forgotten.quarantined} could not be read`)
    if (forgotten.unopened > 0) {
      say(
        `${forgotten.unopened} more can not be opened and may name it: add their key to SEAL_KEYS_PREVIOUS, and run this again`,
      )
    }
  }
  return forgotten.unopened > 0 ? 1 : 0
})
