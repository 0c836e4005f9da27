CREATE TABLE IF NOT EXISTS items (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    price numeric(12, 2) NOT NULL
);
