"""What pillar may say: the schema, and the engine that reads a tree by it."""
