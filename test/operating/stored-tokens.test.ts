import t from 'tap'
import { createToken, loadTokens } from '../../src/operating/stored-tokens.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { createTestDatabase } from '../fixtures/database.ts'

const db = openTestDatabase(t, await createTestDatabase(t))

t.test(
  'a first token that is made while tokens are read does not end the try-out mode before it opens anything',
  async t => {
    let made = false
    const interrupted = db.withPlugin({
      transformQuery: ({ node }) => node,
      async transformResult({ result }) {
        if (!made) {
          made = true
          await createToken(db, { name: 'first', scopes: ['read'], accounts: ['*'] })
        }
        return result
      },
    })
    const { any, live } = await loadTokens(interrupted)
    t.equal(any, live.length > 0, 'known with all that it may, or not at all')
    t.match(await loadTokens(db), { any: true, live: [{ name: 'first' }] })
  },
)
