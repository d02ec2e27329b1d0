import { useEffect, useState } from 'preact/hooks'

/** The path behind the `#`, its words decoded, and its query; `visit` is another one with each time that it was gone to. */
export function useRoute() {
  const [{ hash, visit }, setPlace] = useState({ hash: location.hash, visit: 0 })
  useEffect(() => {
    const follow = () => setPlace(before => ({ hash: location.hash, visit: before.visit + 1 }))
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  return { ...readRoute(hash), visit }
}

/** Where the page is already, it begins anew: the browser alone would do nothing. @param {string} hash */
export function goTo(hash) {
  if (location.hash === hash) dispatchEvent(new HashChangeEvent('hashchange'))
  else location.hash = hash
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
