import { meets, type Goal } from './goals.js';
import type { Spread } from './statistics.js';

export type Cell = string;

/** Columns aligned: the first to the left, the others to the right. */
export function renderTable(header: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => (row[column] ?? '').length)),
  );
  const renderRow = (row: readonly Cell[]) =>
    widths
      .map((width, column) =>
        column === 0 ? (row[column] ?? '').padEnd(width) : (row[column] ?? '').padStart(width),
      )
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [renderRow(header), rule, ...rows.map(renderRow)].map((line) => `  ${line}\n`).join('');
}

function verdict(value: number, limit: number | undefined, { direction }: Goal, digits: number): string {
  if (limit === undefined) return '-';
  const sign = direction === 'at most' ? '<=' : '>=';
  return `${sign} ${limit.toFixed(digits)} ${meets(value, limit, direction) ? 'pass' : 'MISS'}`;
}

/** A row of `renderGoals`. */
export function goalRow(name: string, spread: Spread, goal: Goal, digits: number): string[] {
  return [
    name,
    spread.median.toFixed(digits),
    `${spread.min.toFixed(digits)}..${spread.max.toFixed(digits)}`,
    verdict(spread.median, goal.required, goal, digits),
    verdict(spread.median, goal.stretch, goal, digits),
  ];
}

export function renderGoals(rows: readonly (readonly Cell[])[]): string {
  return renderTable(['', 'median', 'min..max', 'required', 'stretch'], rows);
}

export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
