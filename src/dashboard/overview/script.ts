/** Runs in the browser: brings the sections up to date, but never the one that somebody is in. */
export const SCRIPT = `
const pause = document.getElementById('pause')
let paused = false
let source
function follow() {
  source = new EventSource('overview/events')
  source.onmessage = ({ data }) => {
    for (const [id, html] of Object.entries(JSON.parse(data))) {
      const section = document.getElementById(id)
      if (section && !section.contains(document.activeElement)) section.innerHTML = html
    }
  }
}
pause.hidden = false
pause.onclick = () => {
  paused = !paused
  pause.textContent = paused ? 'Resume updates' : 'Pause updates'
  if (paused) source.close()
  else follow()
}
follow()
`
