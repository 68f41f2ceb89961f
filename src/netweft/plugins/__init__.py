"""One small Protocol per way to extend Netweft, and our own implementations of it, found as entry points."""
