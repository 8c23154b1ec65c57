import COneDNN
import Networks

/// How values get from one layout into another, and from one kind of element into another.
///
/// Values are stored as the plan's precision says. A kernel of the library takes operands in that too where the library
/// can; else, and where an operation is done in floats whatever the precision, operands are widened before it and results
/// rounded after it. Our own kernels take them as they are stored.
extension Planner {
  /// The layout in which a kernel of the library takes a value without another order of elements.
  func operand(_ value: Graph.ValueID) throws -> Layout { try layout(value).of(precision.computed) }

  /// The same for the value of which this is the gradient.
  func operandOfOrigin(_ gradient: Graph.ValueID) throws -> Layout {
    try layoutOfOrigin(gradient).of(precision.computed)
  }

  /// What the library's kernel chooses.
  func anyOperand(_ value: Graph.ValueID) throws -> Layout { try .any(graph[value].shape).of(precision.computed) }

  /// Where a value lies in the layout wanted: as it is, or reordered into temporary memory.
  mutating func fetch(_ value: Graph.ValueID, as wanted: Layout) throws -> Plan.Location {
    try reordered(location(value), layout(value), to: wanted)
  }

  mutating func reordered(_ source: Plan.Location, _ layout: Layout, to wanted: Layout) throws -> Plan.Location {
    if layout == wanted { return source }
    let destination = temporary(bytes: wanted.bytes)
    try emitReorder(source, layout, destination, wanted)
    return destination
  }

  /// A parameter as a kernel of the library takes it, with the rounding that products in bfloat16 imply.
  mutating func parameter(_ index: Int, _ layout: Layout, as wanted: Layout) throws -> Plan.Location {
    let source = parameterLocation(index)
    if precision.stored == wanted.element { return try reordered(source, layout, to: wanted) }
    let rounded = try reordered(source, layout, to: layout.of(.bfloat16))
    return try reordered(rounded, layout.of(.bfloat16), to: wanted)
  }

  mutating func emitReorder(
    _ source: Plan.Location, _ layout: Layout, _ destination: Plan.Location, _ wanted: Layout
  ) throws {
    if try layout.element != wanted.element && layout.of(wanted.element) == wanted {
      emit(
        ElementCast(
          source: source, destination: destination, element: wanted.element, count: wanted.bytes / wanted.element.bytes),
        [layout, wanted])
    } else if precision.computed == .bfloat16 || (layout.element, wanted.element) == (.float32, .float32) {
      let kernel = try Kernel(odn_reorder(layout.pointer, wanted.pointer), "reorder \(layout.text) to \(wanted.text)")
      try emit(kernel, [(ODN_SRC, source), (ODN_DST, destination)], [layout, wanted])
      plan.text[plan.text.count - 1] = "reorder " + plan.text[plan.text.count - 1]
    } else {
      // By way of floats, which every machine can reorder.
      let floats = try reordered(source, layout, to: layout.of(.float32))
      let ordered = try reordered(floats, layout.of(.float32), to: wanted.of(.float32))
      try emitReorder(ordered, wanted.of(.float32), destination, wanted)
    }
  }

  /// Memory for what the current node's kernel makes of a value in `layout`. Where that has wider elements than values are
  /// stored in, the value is rounded after the node.
  @discardableResult
  mutating func store(_ value: Graph.ValueID, _ layout: Layout, inPlaceOf location: Plan.Location? = nil) throws
    -> Plan.Location
  {
    if layout.element == precision.stored {
      return location.map { make(value, layout, inPlaceOf: $0) } ?? make(value, layout)
    }
    let computed =
      location.flatMap { isLast($0) && bytes($0) == layout.bytes ? $0 : nil } ?? temporary(bytes: layout.bytes)
    roundings.append(Rounding(value: value, source: computed, layout: layout))
    return computed
  }

  struct Rounding {
    let value: Graph.ValueID
    let source: Plan.Location
    let layout: Layout
  }

  /// Ends the current node.
  mutating func round() throws {
    for rounding in roundings {
      let rounded = try rounding.layout.of(precision.stored)
      try emitReorder(rounding.source, rounding.layout, make(rounding.value, rounded), rounded)
    }
    roundings = []
  }
}
