/// Text for a shell.
enum ShellText {
  /// A word that the shell reads as it is: in single quotes where that is not sure.
  static func word(_ text: String) -> String {
    let plain =
      !text.isEmpty
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "-_./=:,+@%".utf8.contains(byte)
        }
      }
    return plain ? text : "'" + text.replacing("'", with: #"'\''"#) + "'"
  }

  static func words(_ texts: [String]) -> String { texts.map(word).joined(separator: " ") }

  /// A command on lines of at most 100 columns, each but the first indented; words are already as the shell reads them.
  static func command(_ words: [String]) -> String {
    var lines: [String] = []
    var line = ""
    for group in grouped(words) {
      if line.isEmpty {
        line = (lines.isEmpty ? "" : "    ") + group
      } else if line.count + group.count + 3 > 100 {
        lines.append(line + " \\")
        line = "    " + group
      } else {
        line += " " + group
      }
    }
    return (lines + [line]).joined(separator: "\n")
  }

  /// A flag stays with its value.
  private static func grouped(_ words: [String]) -> [String] {
    var groups: [String] = []
    for word in words {
      if let last = groups.last, last.hasPrefix("-"), !last.contains(" "), !last.contains("="), !word.hasPrefix("-") {
        groups[groups.count - 1] = last + " " + word
      } else {
        groups.append(word)
      }
    }
    return groups
  }
}
