import { type ApiToken, type Scope, scopes } from './access.ts'

const form = 'each entry is name:scope,scope:account,account:sha256-hex, entries separated by ;'

/** `API_TOKENS`: tokens besides those made by command. It holds digests, never tokens. */
export function readApiTokens(text: string): ApiToken[] {
  return text
    .split(';')
    .map(entry => entry.trim())
    .filter(entry => entry !== '')
    .map(readApiToken)
}

function readApiToken(entry: string): ApiToken {
  const [name, scopeList, accountList, digest, ...rest] = entry.split(':')
  if (!name || !scopeList || !accountList || digest === undefined || rest.length > 0) throw new Error(form)
  if (!/^[0-9a-f]{64}$/i.test(digest)) throw new Error(`the digest of ${name} is not 64 hexadecimal digits; ${form}`)
  return {
    name,
    scopes: scopeList.split(',').map(scope => readScope(scope.trim())),
    accounts: accountList.split(',').map(account => account.trim()),
    digest: Buffer.from(digest, 'hex'),
  }
}

function readScope(text: string): Scope {
  const scope = scopes.find(known => known === text)
  // Only what looks like a misspelt scope is quoted, so that a token in the wrong place is not.
  const quoted = /^[a-z]{1,16}$/.test(text) ? text : 'what follows the name'
  if (scope === undefined) throw new Error(`${quoted} is no scope; there are ${scopes.join(', ')}`)
  return scope
}
