-- The demo shop. Two tenants use the same ids for different people and orders.
BEGIN;
CREATE TABLE customers (
    tenant TEXT NOT NULL,
    id     TEXT NOT NULL,
    name   TEXT NOT NULL,
    tier   TEXT NOT NULL CHECK (tier IN ('bronze', 'silver', 'gold')),
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE orders (
    tenant      TEXT NOT NULL,
    order_id    TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    item        TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('open', 'shipped', 'delivered', 'returned')),
    PRIMARY KEY (tenant, order_id),
    FOREIGN KEY (tenant, customer_id) REFERENCES customers (tenant, id)
) STRICT, WITHOUT ROWID;
INSERT INTO customers (tenant, id, name, tier) VALUES
    ('acme',   'c-1',  'Ada Moreau',     'silver'),
    ('acme',   'c-7',  'Tomás Okafor',   'bronze'),
    ('acme',   'c-42', 'Jane Doe',       'gold'),
    ('acme',   'c-rl', 'Rita Limmat',    'bronze'),
    ('globex', 'c-1',  'Grace Lindqvist', 'gold'),
    ('globex', 'c-42', 'Hiro Tanaka',    'bronze'),
    ('globex', 'c-rl', 'Lea Brandt',     'silver');
INSERT INTO orders (tenant, order_id, customer_id, item, status) VALUES
    ('acme',   'o-100', 'c-1',  'desk lamp',        'delivered'),
    ('acme',   'o-123', 'c-42', 'standing desk',    'shipped'),
    ('acme',   'o-124', 'c-42', 'office chair',     'open'),
    ('acme',   'o-130', 'c-7',  'monitor arm',      'returned'),
    ('globex', 'o-123', 'c-42', 'espresso machine', 'open'),
    ('globex', 'o-200', 'c-1',  'bean grinder',     'delivered');
COMMIT;
