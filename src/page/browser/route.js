import { useEffect, useState } from 'preact/hooks'

/** The path behind the `#`, its words decoded, and its query. */
export function useRoute() {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const follow = () => setHash(location.hash)
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  return readRoute(hash)
}

/**
 * @param {string} hash
 * @returns {{ hash: string, words: string[], query: URLSearchParams }}
 */
export function readRoute(hash) {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  return { hash, words: path.split('/').filter(Boolean).map(decoded), query: new URLSearchParams(query) }
}

/** @param {...string} words */
export function linkTo(...words) {
  return `#/${words.map(encodeURIComponent).join('/')}`
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
