"""`/dashboard/live`: a WebSocket that says which objects changed, to who may see them (decision 0525)."""
