import Foundation

/// A line chart with logarithmic or linear axes, as SVG text.
///
/// Points that an axis cannot show (zero or less on a logarithmic one, and numbers that are not finite) are left out.
public struct LinePlot: Sendable {
  public struct Axis: Sendable {
    public var title: String
    public var isLogarithmic: Bool
    /// Of a linear axis; else it spans what is shown.
    public var beginsAtZero: Bool
    /// How a number stands beside its mark.
    public var label: @Sendable (Double) -> String

    public init(
      _ title: String, isLogarithmic: Bool = true, beginsAtZero: Bool = true,
      label: (@Sendable (Double) -> String)? = nil
    ) {
      (self.title, self.isLogarithmic, self.beginsAtZero) = (title, isLogarithmic, beginsAtZero)
      self.label = label ?? { significant($0) }
    }
  }

  public struct Series: Sendable {
    public var name: String
    public var points: [(x: Double, y: Double)]
    /// Lines of the same colour that the legend does not name again, as of other seeds.
    public var further: [[(x: Double, y: Double)]]

    public init(
      _ name: String, _ points: [(x: Double, y: Double)], further: [[(x: Double, y: Double)]] = []
    ) { (self.name, self.points, self.further) = (name, points, further) }

    fileprivate var lines: [[(x: Double, y: Double)]] { [points] + further }
  }

  public var title: String
  public var x: Axis
  public var y: Axis
  public var series: [Series]

  public init(_ title: String, x: Axis, y: Axis, series: [Series]) {
    (self.title, self.x, self.y, self.series) = (title, x, y, series)
  }

  /// Where the lines are, in the picture's units.
  static let frame = (left: 80.0, top: 40.0, right: 560.0, bottom: 380.0)
  /// Distinct also in grey and to most colour-blind readers (Okabe and Ito, 2008), dark enough for white.
  private static let colours = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#b08900", "#56b4e9", "#7f3fbf",
  ]
  private static let dashes = ["none", "6 3", "2 2"]

  /// Lines of more points have no dots.
  private static let mostDots = 50

  /// The picture, 760 by 440 units, or more where the legend needs it.
  public var svg: String {
    let shown = series.map { series in
      (name: series.name, lines: series.lines.map { $0.filter { canShow($0.x, x) && canShow($0.y, y) } })
    }
    let points = shown.flatMap(\.lines).joined()
    let width = max(760, 610 + 7 * (series.map(\.name.count).max() ?? 0))
    let height = max(440, 60 + 18 * series.count)
    let (across, up) = (Scale(points.map(\.x), x), Scale(points.map(\.y), y))
    let frame = Self.frame
    func place(_ point: (x: Double, y: Double)) -> (x: Double, y: Double) {
      (
        frame.left + across.share(point.x) * (frame.right - frame.left),
        frame.bottom - up.share(point.y) * (frame.bottom - frame.top)
      )
    }
    var lines = [
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(width) \#(height)" "#
        + #"font-family="sans-serif" font-size="12">"#,
      #"<rect width="\#(width)" height="\#(height)" fill="white"/>"#,
      #"<text x="\#(number(frame.left))" y="24" font-size="14">\#(escaped(title))</text>"#,
    ]
    for mark in across.marks {
      let at = number(place((mark, up.low)).x)
      lines.append(
        #"<path d="M\#(at) \#(number(frame.top))V\#(number(frame.bottom))" stroke="lightgrey" fill="none"/>"#)
      lines.append(text(at, number(frame.bottom + 18), "middle", x.label(mark)))
    }
    for mark in up.marks {
      let at = place((across.low, mark)).y
      lines.append(
        #"<path d="M\#(number(frame.left)) \#(number(at))H\#(number(frame.right))" stroke="lightgrey" fill="none"/>"#)
      lines.append(text(number(frame.left - 6), number(at + 4), "end", y.label(mark)))
    }
    lines.append(
      #"<rect class="frame" x="\#(number(frame.left))" y="\#(number(frame.top))" "#
        + #"width="\#(number(frame.right - frame.left))" height="\#(number(frame.bottom - frame.top))" "#
        + #"fill="none" stroke="black"/>"#)
    lines.append(text(number((frame.left + frame.right) / 2), "424", "middle", x.title))
    lines.append(
      #"<text transform="translate(18 \#(number((frame.top + frame.bottom) / 2))) rotate(-90)" "#
        + #"text-anchor="middle">\#(escaped(y.title))</text>"#)
    for (index, series) in shown.enumerated() {
      lines += drawn(series.name, index, series.lines.map { $0.map(place) })
    }
    return (lines + ["</svg>"]).joined(separator: "\n")
  }

  /// Lines with a dot at each point, and their name in the legend.
  private func drawn(_ name: String, _ index: Int, _ lines: [[(x: Double, y: Double)]]) -> [String] {
    let colour = Self.colours[index % Self.colours.count]
    let dash = Self.dashes[index / Self.colours.count % Self.dashes.count]
    let stroke = #"stroke="\#(colour)" stroke-width="1.8" stroke-dasharray="\#(dash)" fill="none""#
    let height = Self.frame.top + 10 + 18 * Double(index)
    let drawn = lines.flatMap { places in
      let corners = places.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
      let dots = places.count > Self.mostDots ? [] : places
      return [#"<polyline points="\#(corners)" \#(stroke)/>"#]
        + dots.map { #"<circle cx="\#(number($0.x))" cy="\#(number($0.y))" r="2.2" fill="\#(colour)"/>"# }
    }
    return drawn + [
      #"<path d="M572 \#(number(height))H594" \#(stroke)/>"#, text("600", number(height + 4), "start", name),
    ]
  }

  private func canShow(_ value: Double, _ axis: Axis) -> Bool { value.isFinite && (value > 0 || !axis.isLogarithmic) }

  private func text(_ x: String, _ y: String, _ anchor: String, _ text: String) -> String {
    #"<text x="\#(x)" y="\#(y)" text-anchor="\#(anchor)">\#(escaped(text))</text>"#
  }

  private func number(_ value: Double) -> String { decimal(value, 1) }

  private func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: ">", with: "&gt;")
  }
}

/// From which number to which an axis goes, and where it has marks.
private struct Scale {
  let low: Double
  let high: Double
  let marks: [Double]
  private let isLogarithmic: Bool

  init(_ values: [Double], _ axis: LinePlot.Axis) {
    isLogarithmic = axis.isLogarithmic
    let (least, most) = (values.min() ?? 1, values.max() ?? 10)
    if isLogarithmic {
      // Whole powers of ten, of which at most eight have marks; where there are less than two, in steps of 1, 2, 5.
      let first = log10(least).rounded(.down)
      let last = max(log10(most).rounded(.up), first + 1)
      if most > least, most / least < 100 {
        let steps = stride(from: first, through: last, by: 1).flatMap { power in [1, 2, 5].map { $0 * pow(10, power) } }
        let bottom = steps.last { $0 <= least } ?? least
        let top = steps.first { $0 >= most } ?? most
        (low, high, marks) = (bottom, top, steps.filter { (bottom...top).contains($0) })
        return
      }
      let step = ((last - first) / 8).rounded(.up)
      (low, high) = (pow(10, first), pow(10, last))
      marks = stride(from: first, through: last, by: step).map { pow(10, $0) }
    } else {
      // In steps of 1, 2 or 5 times a power of ten.
      let bottom = axis.beginsAtZero || least == most ? min(0, least) : least
      let span = max(most - bottom, .leastNormalMagnitude)
      let power = pow(10, log10(span / 5).rounded(.down))
      let step = [1, 2, 5, 10].map { $0 * power }.first { span / $0 <= 6 } ?? span
      let (first, last) = ((bottom / step).rounded(.down), (most / step).rounded(.up))
      (low, high) = (first * step, max(last, first + 1) * step)
      marks = stride(from: first, through: max(last, first + 1), by: 1).map { $0 * step }
    }
  }

  /// 0 at the low end, 1 at the high one.
  func share(_ value: Double) -> Double {
    isLogarithmic ? log(value / low) / log(high / low) : (value - low) / (high - low)
  }
}
