import Engine

// Loops over flat vectors of equal length. Products and sums are rounded one by one, so that an element has the same bits
// whichever instructions the compiler chooses.

extension FloatBuffer {
  func assign(from other: FloatBuffer) {
    if pointer != other.pointer { pointer.update(from: other.pointer, count: count) }
  }
}

/// x ← factor · x.
func scale(_ x: FloatBuffer, by factor: Float) {
  let (x, count) = (x.pointer, x.count)
  for index in 0..<count { x[index] *= factor }
}

/// x ← x + weight · (y − x).
func interpolate(_ x: FloatBuffer, towards y: FloatBuffer, by weight: Float) {
  let (x, y, count) = (x.pointer, y.pointer, x.count)
  for index in 0..<count { x[index] += weight * (y[index] - x[index]) }
}

/// x ← x − y.
func subtract(_ y: FloatBuffer, from x: FloatBuffer) {
  let (x, y, count) = (x.pointer, y.pointer, x.count)
  for index in 0..<count { x[index] -= y[index] }
}

/// x ← x − rate · (before − center).
func attract(_ x: FloatBuffer, from before: FloatBuffer, to center: FloatBuffer, by rate: Float) {
  let (x, before, center, count) = (x.pointer, before.pointer, center.pointer, x.count)
  for index in 0..<count { x[index] -= rate * (before[index] - center[index]) }
}
