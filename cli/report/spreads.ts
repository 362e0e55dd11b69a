/** Weights and moments as a part of the page: a row for each tensor, with a drawing of where its numbers lie in their format. */
import { addSpreads, type Spread } from "../../src/train/spread.ts";
import {
  movedOf,
  type SpreadReport,
  type SpreadRole,
  type TensorSpread,
} from "../../src/train/spread-report.ts";
import { escapeHtml } from "./escape.ts";
import type { ReportRun } from "./report-data.ts";
import { axisDrawing, spreadDrawing } from "./spread-drawing.ts";

const roleNames: Readonly<Record<SpreadRole, string>> = {
  weight: "Weights",
  part: "Parts of weights",
  "first moment": "First moments",
  "second moment": "Second moments",
};

/** Nothing for a run that has not ended, or is of an earlier version. */
export function spreadsSection({ name, summary: { spreads } }: ReportRun): string {
  if (!spreads || spreads.tensors.length === 0) return "";
  const kindOf = ({ role, format, range }: TensorSpread): string => `${role} ${format} ${range}`;
  const kinds = [...new Set(spreads.tensors.map(kindOf))];
  const tables = kinds.map((kind) =>
    groupTable(
      spreads.tensors.filter((tensor) => kindOf(tensor) === kind),
      spreads,
    ),
  );
  const note =
    `${name}: each number's magnitude over the largest that its format holds; positive upwards, negative downwards.` +
    (hasInitial(spreads.tensors) ? " The line is where training began." : "");
  return `<section class="spreads"><h2>Weights and moments in their formats</h2><p>${escapeHtml(note + leftOut(spreads))}</p>${tables.join("")}</section>`;
}

const hasInitial = (tensors: readonly TensorSpread[]): boolean =>
  tensors.some(({ initial }) => initial !== undefined);

function leftOut({ leftOut: { vectors, small } }: SpreadReport): string {
  const parts = [
    ...(vectors > 0 ? [`${vectors} float32 vectors (biases, norms)`] : []),
    ...(small > 0 ? [`the ${small} smallest tensors`] : []),
  ];
  return parts.length === 0 ? "" : ` Not shown: ${parts.join(" and ")}.`;
}

function groupTable(tensors: readonly TensorSpread[], { moves }: SpreadReport): string {
  const [{ role, format, range }] = tensors;
  const all = addSpreads(tensors);
  const moved = tensors.some((tensor) => tensor.moved !== undefined);
  const title = `${roleNames[role]} in ${format}`;
  const columns = columnsOf(role, all, moved);
  const head = columns.map(({ title: text }) => `<th class="number">${escapeHtml(text)}</th>`).join("");
  const own = moves.find((one) => one.format === format);
  const whole = { ...all, ...initialOf(tensors), ...(moved && own ? { moved: movedOf(own) } : {}) };
  const rows = [
    ...(tensors.length > 1 ? [row("all of these", "", whole, columns, 64)] : []),
    ...tensors.map((tensor) => row(tensor.name, tensor.shape.join(" × "), tensor, columns, 34)),
  ];
  const table = `<div class="scroll"><table class="facts"><tr><th>tensor</th><th>${axisDrawing(all)}</th>${head}</tr>${rows.join("")}</table></div>`;
  const note = format === range ? "" : `<p>${escapeHtml(comparison(role, range))}</p>`;
  return `<details${role.endsWith("moment") ? "" : " open"}><summary>${escapeHtml(`${title}: ${counted(tensors.length, "tensor")}, ${all.count.toLocaleString("en")} numbers`)}</summary>${note}${table}</details>`;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

/** How numbers without a range of their own are held against a ladder's. */
function comparison(role: SpreadRole, range: string): string {
  const tops: Readonly<Record<SpreadRole, string>> = {
    weight: "the tensor's largest magnitude being the top rung",
    part: "the tensor's largest magnitude being the top rung",
    "first moment": "in units of the second moment's root where there is one, as such a ladder keeps them",
    "second moment": "its top rung standing for 256, as 8-bit state has it",
  };
  return `The shaded part is what ${range} would hold, ${tops[role]}: what lies below it would round to zero or to the lowest rung.`;
}

/** The sum of where tensors began; nothing unless it is known of all. */
function initialOf(tensors: readonly TensorSpread[]): Pick<TensorSpread, "initial"> {
  const began = tensors.flatMap(({ initial, ...spread }) => (initial ? [{ ...spread, ...initial }] : []));
  if (began.length < tensors.length) return {};
  const { positive, negative } = addSpreads(began);
  return { initial: { positive, negative } };
}

type Shown = Spread & Partial<Pick<TensorSpread, "initial" | "moved">>;

interface Column {
  readonly title: string;
  readonly read: (spread: Shown) => string;
}

const percent = (part: number, whole: number): string => {
  const value = (100 * part) / Math.max(1, whole);
  return part > 0 && value < 0.005 ? "< 0.01 %" : `${value.toFixed(2)} %`;
};

function columnsOf(role: SpreadRole, { format, range }: Spread, moved: boolean): Column[] {
  const share = (title: string, field: "top" | "bottom" | "below" | "zeros"): Column => ({
    title,
    read: (spread) => percent(spread[field], spread.count),
  });
  const own = [share("at the top", "top"), share("at the lowest", "bottom")];
  const beyond = [
    // A weight's largest magnitude is the top that it is held against.
    ...(role.endsWith("moment") ? [share("above it", "top")] : []),
    share("below it", "below"),
  ];
  const ends = format === range ? own : beyond;
  const since: Column[] = [
    {
      title: "moved by (median)",
      read: (spread) => (spread.moved ? counted(spread.moved.median, "rung") : ""),
    },
    { title: "stayed", read: (spread) => (spread.moved ? percent(spread.moved.stayed, 1) : "") },
    { title: "sign changed", read: (spread) => (spread.moved ? percent(spread.moved.flipped, 1) : "") },
  ];
  return [...ends, share("zero", "zeros"), ...(moved ? since : [])];
}

/** A name that lines may break after its dots. */
const breakable = (name: string): string => escapeHtml(name).replaceAll(/[._]/g, "$&<wbr>");

function row(name: string, shape: string, spread: Shown, columns: readonly Column[], height: number): string {
  const cells = columns.map(({ read }) => `<td class="number">${escapeHtml(read(spread))}</td>`).join("");
  const label = `${name}: ${columns.map(({ title, read }) => `${title} ${read(spread) || "–"}`).join(", ")}`;
  return `<tr><td>${breakable(name)} <small>${escapeHtml(shape)}</small></td><td>${spreadDrawing(spread, label, height)}</td>${cells}</tr>`;
}
