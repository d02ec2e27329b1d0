import { readConfig } from '../config.ts'
import { openCarrier } from '../operating/open-carrier.ts'
import { loadDatabaseKeys } from '../secrets/database-keys.ts'
import { createSealer } from '../secrets/sealer.ts'
import { tryOutSealKey } from '../secrets/try-out-seal-key.ts'
import { withDatabase, withoutAddress } from './command-database.ts'
import { CannotDo, command, readAction } from './command-line.ts'
import { clearLoginLatch, deregister, register, rotate } from './listener-changes.ts'
import { type Action, actions, readCredentials, readListenerOptions, usage } from './listener-options.ts'
import { check, list } from './listener-views.ts'
import { callbackUrls, type Work } from './listener-work.ts'

const deeds: { [action in Action]: (work: Work) => Promise<number> } = {
  register,
  rotate,
  list,
  check,
  deregister,
  'clear-login-latch': clearLoginLatch,
}

export const listenerCommand = command(usage, async (args, terminal) => {
  const action = readAction(args, actions)
  const options = readListenerOptions(action, args.slice(1))
  const config = readConfig(withoutAddress(terminal.env))
  const access = config.thingSpace
  if (access === null) {
    throw new CannotDo('set THINGSPACE_KEY, THINGSPACE_SECRET, THINGSPACE_USERNAME and THINGSPACE_PASSWORD')
  }
  // Checked before anything is opened.
  readCredentials(options, access)
  if (options.url !== null) callbackUrls(options)
  const sealKey = config.sealKey ?? (await tryOutSealKey(config.dataDir))
  const sealer = createSealer(sealKey, config.sealKeysPrevious)
  return withDatabase(config, async db => {
    const { listeners: listenersKey } = await loadDatabaseKeys(db, sealer)
    return deeds[action]({ terminal, options, config, db, listenersKey, client: openCarrier(db, sealer, access) })
  })
})
