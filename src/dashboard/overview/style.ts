/** Colours have a contrast of 4.5 or more with what is behind them, in light and dark. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --line: #d0d7de; --back: #ffffff; --mark: #0550ae;
  --good: #116329; --bad: #a40e26; --warn: #7d4e00; --s1: #0550ae; --s2: #a40e26; --s3: #116329; --s4: #7d4e00; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --soft: #9da7b1; --line: #3d444d; --back: #0d1117; --mark: #79c0ff;
    --good: #7ee787; --bad: #ffa198; --warn: #e3b341; --s1: #79c0ff; --s2: #ffa198; --s3: #7ee787; --s4: #e3b341; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 0 1rem 3rem; font: 1rem/1.5 system-ui, sans-serif;
  color: var(--text); background: var(--back); }
header { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; padding: .75rem 0; border-bottom: 1px solid var(--line); }
h1 { font-size: 1.25rem; margin: 0; } h1 a { color: inherit; text-decoration: none; }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; } h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
a { color: var(--mark); } nav a { margin-right: .75rem; }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
input, button { font: inherit; color: inherit; background: var(--back); border: 1px solid var(--soft); border-radius: .3rem; padding: .2rem .6rem; }
button { cursor: pointer; white-space: nowrap; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; } small, .empty { color: var(--soft); }
.running strong { color: var(--good); } .down strong, .failing strong, .no-worker strong { color: var(--bad); }
.held strong, .paused strong { color: var(--warn); }
.problem { border-left: .3rem solid var(--bad); padding: .5rem 1rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-weight: 600; } svg { width: 100%; height: auto; }
.axis { stroke: var(--line); } polyline { fill: none; stroke-width: 2; stroke: var(--s1); }
polyline:nth-of-type(2) { stroke: var(--s2); } polyline:nth-of-type(3) { stroke: var(--s3); } polyline:nth-of-type(4) { stroke: var(--s4); }
.keys { list-style: none; margin: 0; padding: 0; font-size: .875rem; color: var(--soft); }
.key { display: inline-block; width: .75rem; height: .2rem; margin-right: .4rem; vertical-align: middle; background: var(--s1); }
.keys li:nth-child(2) .key { background: var(--s2); } .keys li:nth-child(3) .key { background: var(--s3); } .keys li:nth-child(4) .key { background: var(--s4); }
`
