/// A method as tables of stragglers have it: its name there, and its law.
public struct StragglerMethod: Sendable, Hashable {
  public var method: Recipe.Method
  /// H of the local methods, and B of backup workers.
  public var localSteps: Int
  public var backup: Int

  public init(_ method: Recipe.Method, localSteps: Int, backup: Int) {
    (self.method, self.localSteps, self.backup) = (method, localSteps, backup)
  }

  /// All methods with the settings of a recipe, as far as so many ranks can have them.
  static func all(_ recipe: Recipe, ranks: Int) -> [StragglerMethod] {
    Recipe.Method.allCases.map {
      StragglerMethod($0, localSteps: recipe.localSteps, backup: recipe.backupWorkers)
    }.filter { $0.isPossible(ranks: ranks) }
  }

  public func isPossible(ranks: Int) -> Bool { method != .backupWorkers || backup < ranks }

  public var law: WaitingLaw {
    switch method {
    case .synchronous: .everybody(every: 1)
    case .local, .easgd: .everybody(every: localSteps)
    case .stochasticPush: .neighbours
    case .backupWorkers: .allBut(backup)
    case .downpour, .asynchronousEASGD, .gossip, .goSGD: .nobody
    }
  }

  /// As "local, H = 16".
  public var name: String {
    switch method {
    case .local, .easgd, .asynchronousEASGD, .gossip: "\(method.rawValue), H = \(localSteps)"
    case .backupWorkers: "\(method.rawValue), B = \(backup)"
    default: method.rawValue
    }
  }
}
