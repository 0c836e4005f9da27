"""A template for a production service: FastAPI on mainspring, rows of PostgreSQL through a cache in Redis."""
