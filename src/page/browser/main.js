import { render } from 'preact'
import { App } from './app.js'
import { html } from './html.js'

render(html`<${App} needsSignIn=${document.body.dataset.signIn === 'needed'} />`, document.body)
