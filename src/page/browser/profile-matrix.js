import { count } from './format.js'
import { html } from './html.js'

const roleNames = /** @type {Record<string, string>} */ ({ LEAD: 'Verizon', LOCAL: 'global' })

/** @param {{ profiles: import('./types.d.ts').Summary['profiles'] }} props */
export function ProfileMatrix({ profiles }) {
  if (profiles.length === 0) return html`<p class="quiet">No profile is known yet. The first callback brings one.</p>`
  const roles = [...new Set(profiles.map(one => said(one.profileRole)))].sort()
  const states = [...new Set(profiles.map(one => said(one.state)))].sort()
  const sum = (/** @type {(one: { state: string, role: string }) => boolean} */ belongs) =>
    profiles.reduce(
      (total, one) => (belongs({ state: said(one.state), role: said(one.profileRole) }) ? total + one.count : total),
      0,
    )
  return html`
    <div class="scroll" role="region" aria-label="Profiles by state and role, table" tabindex="0">
      <table>
        <thead><tr><th>State</th>${roles.map(role => html`<th class="number">${role} <small>${roleNames[role]}</small></th>`)}<th class="number">All</th></tr></thead>
        <tbody>
          ${states.map(
            state => html`
              <tr key=${state}><th scope="row">${state}</th>
                ${roles.map(role => html`<td class="number">${count(sum(one => one.state === state && one.role === role))}</td>`)}
                <td class="number"><b>${count(sum(one => one.state === state))}</b></td></tr>`,
          )}
        </tbody>
      </table>
    </div>`
}

/** @param {string | null} value */
function said(value) {
  return value ?? 'not said'
}
