// `top` in at most 80 columns.
import { printable } from '../attach/find.js';
import type { Rates, ReactorRates, WorkerRates } from './rates.js';
import type { HotRegistration, SlowCall } from '../../observe/server/protocol.js';

const COLUMNS = 80;
/** With a reactor and the leaders they fill 40 lines; more are counted. */
const MAX_WORKERS = 16;
/** Of hottest registrations and slowest handlers: with a reactor and four workers they fill 24 lines. */
const LEADERS = 5;
const KIB = 1024;

/** A title, how wide it is, and what stands in it. Texts begin at the left, numbers at the right. */
type Column<Row> = readonly [title: string, width: number, cell: (row: Row) => string];

/** Of a number at least 0: four digits are enough. */
export function short(value: number): string {
  if (value < 9.95) return value === 0 ? '0' : value.toFixed(1);
  if (value < 9999.5) return value.toFixed(0);
  if (value < 999_500) return `${(value / 1000).toFixed(value < 99_950 ? 1 : 0)}k`;
  return `${(value / 1_000_000).toFixed(value < 99_950_000 ? 1 : 0)}M`;
}

/** As `1.2M`; 0 as `0`. */
export function bytes(value: number): string {
  const units = ['', 'K', 'M', 'G', 'T'];
  let size = value;
  let unit = 0;
  for (; size >= KIB && unit < units.length - 1; unit++) size /= KIB;
  return `${unit > 0 && size < 9.95 ? size.toFixed(1) : size.toFixed(0)}${units[unit]!}`;
}

/** Milliseconds with as many digits as say something. */
export function ms(value: number): string {
  if (value >= 99.5) return value.toFixed(0);
  return value.toFixed(value >= 9.95 ? 1 : 2);
}

const percent = (share: number): string => `${(share * 100).toFixed(0)}%`;

/** As `3 h 12 min`. */
export function duration(value: number): string {
  const seconds = Math.floor(value / 1000);
  const [minutes, hours, days] = [60, 3600, 86_400].map((each) => Math.floor(seconds / each)) as [
    number,
    number,
    number,
  ];
  if (minutes < 1) return `${seconds} s`;
  if (hours < 1) return `${minutes} min ${seconds % 60} s`;
  return days < 1 ? `${hours} h ${minutes % 60} min` : `${days} d ${hours % 24} h`;
}

function cell(text: string, width: number): string {
  const clean = printable(text);
  const fits = Math.abs(width) - 1;
  const cut = clean.length > fits ? `${clean.slice(0, fits - 1)}~` : clean;
  return width < 0 ? cut.padEnd(-width) : cut.padStart(width);
}

/** A negative width is that of a text. */
function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => cell(text, columns[i]![1]))
      .join('')
      .trimEnd();
  const head = line(columns.map(([title]) => title));
  return [head, ...rows.map((row) => line(columns.map(([, , text]) => text(row))))];
}

const reactorColumns: readonly Column<ReactorRates>[] = [
  ['REACTOR', -16, ({ name, closed }) => (closed ? `${name} (closed)` : name)],
  ['TURNS/S', 8, ({ turnsPerSecond }) => short(turnsPerSecond)],
  ['EV/WAIT', 8, ({ eventsPerWait }) => short(eventsPerWait)],
  ['BUSY', 6, ({ busyShare }) => percent(busyShare)],
  ['P99 MS', 8, ({ handlerP99Ms }) => ms(handlerP99Ms)],
  ['MAX MS', 8, ({ handlerMaxMs }) => ms(handlerMaxMs)],
  ['LATE MS', 9, ({ timerLateP99Ms }) => ms(timerLateP99Ms)],
  ['REGS', 8, ({ registrations }) => short(registrations)],
  ['READY', 8, ({ ready }) => short(ready)],
];

const workerColumns: readonly Column<WorkerRates>[] = [
  ['WORKER', -16, ({ runtime, worker }) => `${runtime} ${worker}`],
  ['TASKS/S', 9, ({ tasksPerSecond }) => short(tasksPerSecond)],
  ['QUEUED', 9, ({ queued }) => short(queued)],
  ['RUNNING', 9, ({ running }) => short(running)],
  ['STEALS/S', 10, ({ stealsPerSecond }) => short(stealsPerSecond)],
  ['PARKS/S', 9, ({ parksPerSecond }) => short(parksPerSecond)],
  ['BUSY', 7, ({ busyShare }) => percent(busyShare)],
];

const hotColumns: readonly Column<HotRegistration>[] = [
  ['HOTTEST', -20, ({ name }) => name],
  ['FD', 6, ({ fd }) => String(fd)],
  ['  PEER', -24, ({ peer }) => `  ${peer ?? ''}`],
  ['CALLS/S', 8, ({ callsPerSecond }) => short(callsPerSecond)],
  ['IN/S', 8, ({ readBytesPerSecond }) => bytes(readBytesPerSecond)],
  ['OUT/S', 8, ({ writtenBytesPerSecond }) => bytes(writtenBytesPerSecond)],
  ['BUSY', 6, ({ busyShare }) => percent(busyShare)],
];

const slowColumns: readonly Column<SlowCall>[] = [
  ['SLOWEST IN A MINUTE', -20, ({ name }) => name],
  ['FD', 6, ({ fd }) => (fd < 0 ? '' : String(fd))],
  ['  PEER', -24, ({ peer }) => `  ${peer ?? ''}`],
  ['REACTOR', -13, ({ reactor }) => reactor],
  ['MS', 7, ({ tookMs }) => ms(tookMs)],
  ['AGO', 10, ({ agoMs }) => duration(agoMs)],
];

function headOf({ process }: Rates): string[] {
  const { pid, thread, runtime, uptimeMs, cpuShare, rssBytes, program } = process;
  const which = thread === 0 ? `process ${pid}` : `process ${pid}, thread ${thread}`;
  const what = `${which}  ${runtime}  up ${duration(uptimeMs)}  CPU ${percent(cpuShare)}  ${bytes(rssBytes)}`;
  return [what, program].map((line) => cell(line, -COLUMNS - 1).trimEnd());
}

/** A block of lines, none of them wider than 80 columns. */
export function describeRates(rates: Rates): string[] {
  const { reactors, workers, hottest, slowest } = rates;
  const more = workers.length - MAX_WORKERS;
  const shown = [
    headOf(rates),
    reactors.length === 0 ? [] : table(reactors, reactorColumns),
    workers.length === 0 ? [] : table(workers.slice(0, MAX_WORKERS), workerColumns),
    hottest.length === 0 ? [] : table(hottest.slice(0, LEADERS), hotColumns),
    slowest.length === 0 ? [] : table(slowest.slice(0, LEADERS), slowColumns),
  ];
  if (more > 0) shown[2]!.push(`and ${more} more`);
  return shown.filter((lines) => lines.length > 0).flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]));
}
