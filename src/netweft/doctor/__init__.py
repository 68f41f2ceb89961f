"""What a host lacks before the first start: facts are gathered (gather*), checks are pure (checks*), codes stable."""
