/** The looks of `report.html`: light and dark, no font or picture from elsewhere. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #fcfcfb; --card: #ffffff; --ink: #1b1d22; --quiet: #676d79; --line: #e4e6ea;
  --tone-0: #2f62c9; --tone-1: #cf5a1c; --tone-2: #23825a; --tone-3: #b23a7a; --tone-4: #8a6a08; --tone-5: #6d51c2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161a; --card: #1c1f25; --ink: #e8eaee; --quiet: #9aa1ad; --line: #30343c;
    --tone-0: #7ea6f5; --tone-1: #f0945c; --tone-2: #63c398; --tone-3: #ec86b6; --tone-4: #d3b04c; --tone-5: #ac97f0;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; margin: 0; }
h2 { font-size: 16px; margin: 0 0 2px; }
p { margin: 0; color: var(--quiet); }
header { margin-bottom: 20px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-bottom: 16px; }
.tile, section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.tile b { display: block; font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile span { color: var(--quiet); font-size: 13px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 16px; }
section { min-width: 0; margin-bottom: 16px; }
.charts section { margin: 0; }
.charts + section { margin-top: 16px; }
.plot { margin-top: 8px; min-height: 300px; }
.u-legend { font-size: 12px; color: var(--quiet); }
pre { margin: 10px 0 0; padding: 12px; overflow: auto; max-height: 460px; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--page); border: 1px solid var(--line); border-radius: 6px; font: 13px/1.45 ui-monospace, monospace; }
pre b { color: var(--tone-0); }
.scroll { overflow-x: auto; }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(116px, 1fr)); gap: 12px; margin-top: 10px; }
.images figure { margin: 0; text-align: center; } .images img { image-rendering: pixelated; border-radius: 6px; }
.images figcaption { color: var(--quiet); font-size: 12px; line-height: 1.3; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 12px; margin-top: 10px; }
.pictures figure { margin: 0; } .pictures img { width: 100%; image-rendering: pixelated; border-radius: 6px; }
.pictures figcaption { color: var(--quiet); font-size: 12px; }
.attention { display: flex; flex-wrap: wrap; gap: 20px; margin: 10px 0 4px; align-items: flex-start; }
.attention .heads { max-width: 100%; } .attention .row { display: flex; gap: 6px; margin-bottom: 6px; align-items: center; }
.attention .row span { flex: none; width: 66px; color: var(--quiet); font-size: 12px; text-align: center; }
.attention .row span:first-child, .attention.patches .row span:first-child { width: 52px; text-align: left; }
.attention .row canvas { display: block; width: 64px; height: auto; image-rendering: pixelated; }
.looks { display: flex; flex-wrap: wrap; gap: 24px; margin-top: 8px; } .look { flex: 1 1 460px; min-width: 0; }
.attention.patches > canvas { width: 112px; image-rendering: pixelated; border-radius: 6px; }
.attention.patches .row canvas { width: var(--cell); border-radius: 4px; } .attention.patches .row span { width: var(--cell); }
.attention button { flex: none; padding: 0; border: 1px solid var(--line); border-radius: 3px; background: var(--card); cursor: pointer; }
.attention button[aria-pressed="true"] { border-color: var(--tone-1); outline: 2px solid var(--tone-1); }
.attention .map { flex: 1 1 560px; min-width: 0; margin: 0; overflow-x: auto; }
.attention figcaption { color: var(--quiet); font-size: 13px; min-height: 3em; }
table.confusion { border-collapse: collapse; margin-top: 10px; font-size: 13px; font-variant-numeric: tabular-nums; }
table.confusion th { font-weight: 500; color: var(--quiet); padding: 3px 6px; white-space: nowrap; text-align: right; }
table.confusion td { text-align: right; padding: 3px 8px; border: 1px solid var(--line); }
table.facts { border-collapse: collapse; width: 100%; margin-top: 8px; font-size: 13px; }
table.facts th, table.facts td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
table.facts th { font-weight: 500; color: var(--quiet); white-space: nowrap; }
table.facts td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
table.facts td.number, table.facts th.number { text-align: right; }
.spreads svg { display: block; width: 400px; }
.spreads svg text { font: 11px system-ui, sans-serif; fill: var(--quiet); }
.spreads svg .grid { stroke: var(--line); } .spreads svg .reach { fill: var(--line); opacity: 0.5; }
.spreads svg .began { fill: none; stroke: var(--ink); stroke-width: 1; opacity: 0.75; vector-effect: non-scaling-stroke; }
.spreads table.facts td { vertical-align: middle; } .spreads table.facts td:first-child { min-width: 180px; max-width: 260px; }
.spreads small { color: var(--quiet); white-space: nowrap; } table.facts td.number { white-space: nowrap; }
details { margin-top: 8px; } summary { cursor: pointer; color: var(--quiet); }
footer { color: var(--quiet); font-size: 13px; margin-top: 20px; }
`;
