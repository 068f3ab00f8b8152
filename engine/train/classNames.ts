/** How people call the classes of a field, where the data has names for them. */
import type { DataPlan, Program } from '../ir/program.ts';

/** Those of its column, where the field is that column with as many classes. */
export function classNames({ columns, classes }: DataPlan, field: string): readonly string[] | undefined {
  const column = columns.find(each => each.name === field);
  return column?.classNames && column.classes === (classes?.[field] ?? column.classes) ? column.classNames : undefined;
}

/** Of the rows and columns of tables, by report. */
export function tableClasses({ reports, data }: Program): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    reports.flatMap(({ name, classesOf }) => {
      const names = classesOf === undefined ? undefined : classNames(data, classesOf);
      return names === undefined ? [] : [[name, names]];
    }),
  );
}
