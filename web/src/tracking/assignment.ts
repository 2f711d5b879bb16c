// The Hungarian method: which rows go with which columns so that the sum of the scores is largest.

/** Scores (rows, columns) -> pairs (row, column), as many as the shorter side has. */
export function assign(scores: readonly (readonly number[])[]): [number, number][] {
  const [rows, columns] = [scores.length, scores[0]?.length ?? 0];
  if (!rows || !columns) return [];
  if (rows > columns) {
    const other = scores[0]!.map((_, column) => scores.map((row) => row[column]!));
    return assign(other).map(([column, row]) => [row, column]);
  }
  const ofRow = new Float64Array(rows + 1); // potentials; index 0 stands for none
  const ofColumn = new Float64Array(columns + 1);
  const rowOf = new Int32Array(columns + 1);
  const before = new Int32Array(columns + 1);
  for (let row = 1; row <= rows; row++) {
    rowOf[0] = row;
    let column = 0;
    const least = new Float64Array(columns + 1).fill(Infinity);
    const visited = new Uint8Array(columns + 1);
    do {
      visited[column] = 1;
      const here = rowOf[column]!;
      let [delta, next] = [Infinity, 0];
      for (let j = 1; j <= columns; j++) {
        if (visited[j]) continue;
        const cost = -scores[here - 1]![j - 1]! - ofRow[here]! - ofColumn[j]!;
        if (cost < least[j]!) {
          least[j] = cost;
          before[j] = column;
        }
        if (least[j]! < delta) [delta, next] = [least[j]!, j];
      }
      for (let j = 0; j <= columns; j++) {
        if (visited[j]) {
          ofRow[rowOf[j]!]! += delta;
          ofColumn[j]! -= delta;
        } else {
          least[j]! -= delta;
        }
      }
      column = next;
    } while (rowOf[column] !== 0);
    while (column) {
      const previous = before[column]!;
      rowOf[column] = rowOf[previous]!;
      column = previous;
    }
  }
  return Array.from({ length: columns }, (_, j): [number, number] => [rowOf[j + 1]! - 1, j]).filter(([row]) => row >= 0);
}
