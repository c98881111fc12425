/** The names of a module's functions: what can be spawned. */
export type TaskName<Tasks> = {
  [Name in keyof Tasks]: Tasks[Name] extends (...args: never[]) => unknown ? Name : never;
}[keyof Tasks] &
  string;

/** The arguments of a task. */
export type TaskArguments<Tasks, Name extends keyof Tasks> = Tasks[Name] extends (
  ...args: infer Arguments
) => unknown
  ? Readonly<Arguments>
  : never;

/** What a task's handle is fulfilled with. */
export type TaskResult<Tasks, Name extends keyof Tasks> = Tasks[Name] extends (
  ...args: never[]
) => infer Result
  ? Awaited<Result>
  : never;

/** A runtime whose entry is not named in its type: any task, with any arguments. */
export type AnyTasks = Record<string, (...args: any[]) => any>; // eslint-disable-line @typescript-eslint/no-explicit-any
