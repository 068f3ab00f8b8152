export function noticesOf(inputs: readonly string[]): string;
