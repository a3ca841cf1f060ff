/**
 * Values that may be missing, as `exactOptionalPropertyTypes` wants them.
 *
 * @module
 */

/** The values of `T` without those that are undefined. */
export type Defined<T> =
  & { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] }
  & { [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined> };

/** Takes the keys away whose value is undefined. */
export function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, it]) => it !== undefined)) as Defined<T>;
}
